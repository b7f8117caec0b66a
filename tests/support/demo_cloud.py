"""An operator's program whose machines are demo hosts, below the folder that is its argument.

The label `fault` of a machine names the action that fails for it; one with the label `held` is half
made until there is a file `go`.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NO_SUCH_MACHINE = 3


def settings(folder: Path) -> dict[str, Any]:
    """As they stand in LIFTLOCK_PROVIDERS."""
    cloud = folder / "cloud"
    cloud.mkdir()
    return {"program": [sys.executable, str(Path(__file__)), str(cloud)], "timeouts": {"boot": 30}}


def main(cloud: Path, request: dict[str, Any]) -> None:
    action, tag = request["action"], request.get("tag", "")
    with (cloud / "requests").open("a") as log:
        log.write(f"{action} {tag}\n")
    if action == "list":
        json.dump(
            {"machines": [_listed(one) for one in cloud.iterdir() if one.is_dir()]}, sys.stdout
        )
        return
    # One change at a time: whoever asked for one that still goes on may be dead.
    with (cloud / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if action == "create":
            _fail(action, request["labels"])
            answer = _create(cloud / tag, request)
        else:
            answer = _destroy(cloud / tag)
    json.dump(answer, sys.stdout)


def _listed(folder: Path) -> dict[str, Any]:
    """Half made, it has a tag and nothing else."""
    with contextlib.suppress(FileNotFoundError):
        return dict(json.loads((folder / "machine").read_text()))
    return {"tag": folder.name, "id": folder.name}


def _create(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    if (folder / "machine").exists():
        return _listed(folder)
    home, key, port = folder / "home", folder / "key", _free_port()
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "authorized_keys").write_text(request["authorized_keys"])
    (folder / "labels").write_text(json.dumps(request["labels"]))
    _fail("finish", request["labels"])
    if request["labels"].get("held"):
        _hold(folder.parent / "go")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    sys.stderr.write(f"making {request['name']}\n")
    arguments = ["--root", str(home), "--port", str(port), "--host-key", str(key)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.demo_host", *arguments],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    found = {
        "tag": request["tag"],
        "id": f"m-{process.pid}",
        "address": "127.0.0.1",
        "port": port,
        "user": "demo",
        "host_key": " ".join(key.with_suffix(".pub").read_text().split()[:2]),
    }
    draft = folder / "machine.new"
    draft.write_text(json.dumps(found))
    draft.rename(folder / "machine")
    return found


def _hold(door: Path) -> None:
    sys.stderr.write("it is half made\n")
    sys.stderr.flush()
    end = time.monotonic() + 60
    while not door.exists() and time.monotonic() < end:
        time.sleep(0.02)


def _destroy(folder: Path) -> dict[str, Any]:
    if not folder.exists():
        sys.exit(NO_SUCH_MACHINE)
    _fail("destroy", json.loads((folder / "labels").read_text()))
    while pids := _processes(str(folder)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    shutil.rmtree(folder)
    return {"gone": True}


def remove(cloud: Path) -> None:
    """All its machines, also half made ones."""
    (cloud / "go").touch()
    for folder in cloud.iterdir():
        if folder.is_dir():
            (folder / "labels").write_text("{}")
            subprocess.run(
                [sys.executable, str(Path(__file__)), str(cloud)],
                input=json.dumps({"action": "destroy", "tag": folder.name}),
                check=True,
                capture_output=True,
                text=True,
            )


def _fail(action: str, labels: dict[str, str]) -> None:
    if labels.get("fault") == action:
        sys.exit(f"no {action} today")


def _processes(marker: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and marker.encode() in _words(entry):
                found.append(int(entry.name))
    return found


def _words(entry: Path) -> bytes:
    is_over = b") Z " in (entry / "stat").read_bytes()
    return b"" if is_over else (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.load(sys.stdin))
