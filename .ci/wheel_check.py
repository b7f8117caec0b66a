"""The built wheel in an empty virtual environment: `liftlock up` starts, answers and stops."""
# ruff: noqa: INP001, S310, S603  (a script that starts our own program and asks it)

import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.compile(r"^ +address +(\S+)$")
INSIDE = ("app/migrations/versions/", "app/recipes/django.yaml", "worker/remote/runner.sh")
#: Seconds: the first start makes a database cluster; a stop has to wait for clean ends.
START, STOP = 180, 60


def main() -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="liftlock-wheel-") as folder:
        program = installed(Path(folder), built(Path(folder)))
        check(program, Path(folder) / "data")
    sys.stdout.write(f"1 passed in {time.monotonic() - began:.2f}s\n")


def built(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in INSIDE:
        if not any(name.startswith(wanted) for name in names):
            sys.exit(f"{wanted} is missing in {wheel.name}")
    return wheel


def installed(folder: Path, wheel: Path) -> Path:
    """The console script in an environment that never saw the checkout."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = folder / "constraints.txt"
    # The same versions as in the tests; pip takes no hashes in constraints.
    pins = re.findall(
        r"^[A-Za-z0-9].*?==[^\s;\\]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    constraints.write_text("\n".join(pins) + "\n")
    subprocess.run([*pip, "-c", str(constraints), f"{wheel}[embedded]"], cwd=folder, check=True)
    return python.with_name("liftlock")


def check(program: Path, data: Path) -> None:
    command = [str(program), "up", "--data", str(data), "--port", "0"]
    process = subprocess.Popen(
        command, cwd=data.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        address = address_of(process)
        with urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:
            sys.stdout.write(f"{address}/readyz answered {answer.status}\n")
        process.send_signal(signal.SIGTERM)
        if status := process.wait(STOP):
            sys.exit(f"`liftlock up` ended with {status} after SIGTERM.")
    finally:
        process.kill()
        process.wait()


def address_of(process: "subprocess.Popen[str]") -> str:
    """What `up` prints; ends the check when it does not come."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=read, args=(process, lines), daemon=True).start()
    until = time.monotonic() + START
    while time.monotonic() < until:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            if process.poll() is not None:
                sys.exit(f"`liftlock up` ended with {process.returncode}.")
            continue
        # The token stands in these lines.
        if "token" not in line and "TOKEN" not in line:
            sys.stdout.write(line)
        if found := ADDRESS.match(line):
            return found[1]
    sys.exit(f"`liftlock up` was not up within {START} s.")


def read(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    for line in process.stdout or ():
        lines.put(line)


if __name__ == "__main__":
    main()
