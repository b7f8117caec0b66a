"""Processes that are not our children: found, recognized and ended by their ids."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
POLL = 0.05
#: Field 22 of /proc/PID/stat is the start time; the fields are counted after the name's ")".
STATE_FIELD, START_FIELD = 0, 19


@dataclass(frozen=True)
class Process:
    """A process id with its start time, because ids are used again."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        return started(self.pid) == self.started


def identify(pid: int) -> Process | None:
    """The living process of that id."""
    since = started(pid)
    return None if since is None else Process(pid, since)


def started(pid: int) -> str | None:
    """When the process began, in the system's own words; None when it is gone or a zombie."""
    if not PROC.joinpath("self").exists():
        return _started_by_ps(pid)
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[STATE_FIELD] in "ZX" else fields[START_FIELD]


def working_directory(pid: int) -> Path | None:
    with contextlib.suppress(OSError):
        return Path(os.readlink(PROC / str(pid) / "cwd"))  # noqa: PTH115  (no need to resolve)
    return None


def name(pid: int) -> str:
    """The command line's first words, for messages."""
    with contextlib.suppress(OSError):
        words = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        return " ".join(word.decode(errors="replace") for word in words[:3]).strip()
    return ""


def marked(variable: str, value: str) -> list[Process]:
    """Our own processes that were started with this environment variable."""
    entry = f"{variable}={value}".encode()
    found = []
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                found.append(identify(int(folder.name)))
    return [process for process in found if process is not None and process.pid != os.getpid()]


def end(process: Process, signals: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send the signals one after the other, each with its seconds (blocks); whether it is gone."""
    for number, seconds in signals:
        with contextlib.suppress(ProcessLookupError):
            if process.is_alive():
                os.kill(process.pid, number)
        deadline = time.monotonic() + seconds
        while process.is_alive() and time.monotonic() < deadline:
            time.sleep(POLL)
        if not process.is_alive():
            return True
    return not process.is_alive()


def _started_by_ps(pid: int) -> str | None:
    done = subprocess.run(
        ["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, since = done.stdout.strip().partition(" ")
    return since.strip() if since and not state.startswith("Z") else None
