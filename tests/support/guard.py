"""Runs a server for tests; stops it and removes its folder when nobody holds the lock file.

Usage: python -I -S guard.py SIGNAL LOCKFILE FOLDER UID:GID|- PROGRAM [ARGUMENT...]

Whoever needs the server holds a shared lock on the lock file. The kernel drops the locks of a
killed test process, so no server outlives its tests, however they end.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PATIENCE = 20


def main() -> None:
    number, lock, folder, user, *program = sys.argv[1:]
    if os.fork() != 0:
        return
    server = subprocess.Popen(program, **_options(user))
    with Path(lock).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
    server.send_signal(int(number))
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _options(user: str) -> dict[str, Any]:
    if user == "-":
        return {}
    uid, gid = user.split(":")
    return {"user": int(uid), "group": int(gid), "extra_groups": []}


if __name__ == "__main__":
    main()
