"""An operator's program whose machines are files in a folder, its first argument.

Standard library only: it is run as a program. A file `fault-ACTION` beside the machines is run as
a shell script in the place of the action, `after-ACTION` before its answer. Machines answer at
the port in the file `port`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
NO_SUCH_MACHINE = 3


def main(folder: Path, request: dict[str, Any]) -> None:
    with (folder / "requests").open("a") as log:
        log.write(json.dumps(request) + "\n")
    if (code := script(folder, f"fault-{request['action']}")) is not None:
        sys.exit(code)
    answer = globals()[request["action"]](folder, request)
    script(folder, f"after-{request['action']}")
    json.dump(answer, sys.stdout)


def script(folder: Path, name: str) -> int | None:
    """Its exit code, if there is one of the name."""
    if not (folder / name).exists():
        return None
    return subprocess.run(["sh", name], check=False, cwd=folder).returncode


def create(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    sys.stderr.write(f"making {request['tag']}\n")
    number = len((folder / "requests").read_text().splitlines())
    found = {
        "id": f"m-{number}",
        "address": "127.0.0.1",
        "port": int(port.read_text()) if (port := folder / "port").exists() else 22,
        "user": "deploy",
        "host_key": HOST_KEY,
    }
    (folder / f"{request['tag']}.machine").write_text(json.dumps(found))
    return found


def destroy(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    machine = folder / f"{request['tag']}.machine"
    if not machine.exists():
        sys.exit(NO_SUCH_MACHINE)
    machine.unlink()
    return {"gone": True}


def list(folder: Path, _: dict[str, Any]) -> dict[str, Any]:  # noqa: A001 - the action's name
    return {
        "machines": [
            {"tag": file.stem, "id": "half", **json.loads(file.read_text() or "{}")}
            for file in sorted(folder.glob("*.machine"))
        ]
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.load(sys.stdin))
