"""Runs a program in a user namespace where the caller has the given, unprivileged id.

Usage: python -I -S namespace.py ID PROGRAM [ARGUMENT...]

A process of its own, because a namespace can only be entered by a process with one thread. Outside
nothing changes: files stay owned by the caller. Inside, the id is not 0, which PostgreSQL demands.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000


def main() -> None:
    inside, program = int(sys.argv[1]), sys.argv[2:]
    outside = (os.geteuid(), os.getegid())
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(CLONE_NEWUSER) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))  # noqa: TRY301  (one handler for all four)
        # The kernel takes a group map from an unprivileged process only after this "deny".
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{inside} {outside[0]} 1\n")
        Path("/proc/self/gid_map").write_text(f"{inside} {outside[1]} 1\n")
    except OSError as error:
        sys.exit(f"no user namespace: {error}")
    os.execv(program[0], program)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main()
