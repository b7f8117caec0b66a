"""The machine of a run: what it is, and how much of it others use."""

import asyncio
import os
import platform
from importlib import metadata

_LOOK = 0.5


def described() -> str:
    packages = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("arq", "asyncpg", "asyncssh")
    )
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}. {load()}"


def load() -> str:
    return "Load average " + " ".join(f"{value:.2f}" for value in os.getloadavg()) + "."


async def foreign_load() -> float:
    """The share of all processors that is busy while the benchmark itself rests."""
    busy, total = _ticks()
    await asyncio.sleep(_LOOK)
    busy_now, total_now = _ticks()
    return (busy_now - busy) / max(1, total_now - total)


def _ticks() -> tuple[int, int]:
    """Busy and all ticks of the processors; zeros where there is no /proc."""
    try:
        with open("/proc/stat") as file:  # noqa: PTH123
            ticks = [int(field) for field in file.readline().split()[1:9]]
    except OSError:
        return 0, 0
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
