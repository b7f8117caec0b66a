"""What a whole command takes: time, processors, memory, with all processes that it starts."""

import os
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

_LOOK = 0.02
_MIB = 1024


@dataclass(frozen=True)
class Spent:
    """Seconds."""

    wall: float
    cpu: float


def run(command: Sequence[str], *, cwd: Path) -> Spent:
    """Raises RuntimeError with what the command said when it failed."""
    began = perf_counter()
    process = _started(command, cwd)
    output = process.stdout.read() if process.stdout else b""
    _, status, used = os.wait4(process.pid, 0)
    wall = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {output.decode(errors='replace')}")
    return Spent(wall, used.ru_utime + used.ru_stime)


def peak_memory(command: Sequence[str], *, cwd: Path) -> float:
    """MiB at the fullest moment, of all its processes together; what they share counts once.

    A run of its own, because looking takes time.
    """
    process = _started(command, cwd)
    reader = threading.Thread(target=process.communicate)
    reader.start()
    most = 0.0
    while reader.is_alive():
        most = max(most, sum(_memory(pid) for pid in _family(process.pid)))
        reader.join(_LOOK)
    return most


def _started(command: Sequence[str], cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(found for child in children for found in _family(int(child)))]


def _memory(pid: int) -> float:
    """The process's share of the memory, in MiB; none when it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / _MIB for line in lines if line.startswith("Pss:")), 0.0)
