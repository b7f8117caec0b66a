"""Programs of the campaign: started with a log, killed, stopped, continued, and started again."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.postgres import ROOT

#: Seconds for one that was told to stop.
_GRACE = 25.0
#: Seconds that a supervisor takes before it starts a program again.
_PAUSE = 1.0


@dataclass
class Program(ABC):
    """One program: what it runs is for its kind to say."""

    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, kw_only=True)
    #: None is that of this process.
    environment: Mapping[str, str] | None = field(default=None, kw_only=True)

    @abstractmethod
    def argv(self) -> tuple[str, ...]: ...

    @abstractmethod
    def answers(self) -> bool: ...

    def options(self) -> dict[str, Any]:
        return {"cwd": ROOT, "env": self.environment}

    @property
    def name(self) -> str:
        return self.log.stem

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                (*_with_us(), *self.argv()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.options(),
            )

    async def start(self) -> None:
        """Returns when it answers."""
        self.launch()
        await until(self.answers, f"{self.name} to answer", log=self.log)

    @property
    def pid(self) -> int:
        assert self.process, f"{self.name} was never started"
        return self.process.pid

    def is_gone(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """To the program itself; no effect on one that is gone."""
        if not self.is_gone():
            os.kill(self.pid, number)

    def end(self, number: signal.Signals) -> None:
        """Returns when it is gone; one that does not end is killed."""
        if self.process is None:
            return
        self.send(number)
        self.send(signal.SIGCONT)
        try:
            self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Supervised(Program):
    """A worker or an API: `keep` starts it again whenever it is gone."""

    command: tuple[str, ...]
    is_wanted: bool = field(default=True, kw_only=True)

    def argv(self) -> tuple[str, ...]:
        return self.command

    async def keep(self) -> None:
        """As a supervisor does, for ever."""
        while True:
            if self.is_wanted and self.is_gone():
                if self.process is not None:
                    await asyncio.sleep(_PAUSE)
                self.launch()
            await asyncio.sleep(0.1)


@dataclass(frozen=True)
class Clock:
    """What one worker takes for the time of day; its monotonic clock stays right."""

    library: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            # Read again each second; at every look it would cost more than the look.
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """To so many seconds beside the true time."""
        whole = self.file.with_suffix(".new")
        whole.write_text(f"{seconds:+d}\n")
        whole.rename(self.file)


def faketime() -> Path | None:
    """libfaketime for programs with threads; None where it is not installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


def kill_marked(marker: str) -> None:
    """Kill every process that has `NAME=VALUE` in its environment."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker.encode() in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def has_connection(pid: int, port: int) -> bool:
    """Whether the process has an established TCP connection to that port."""
    try:
        open_files = [path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir()]
        rows = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return False
    established, remote = "01", f":{port:04X}"
    return any(
        fields[2].endswith(remote)
        and fields[3] == established
        and f"socket:[{fields[9]}]" in open_files
        for fields in map(str.split, rows)
    )


async def until(
    condition: Callable[[], bool], what: str, *, log: Path | None = None, seconds: float = 40
) -> None:
    """Poll a condition that may block; TimeoutError with the end of the log."""
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        if time.monotonic() > end:
            tail = log.read_text(errors="replace")[-2000:] if log and log.exists() else ""
            raise TimeoutError(f"waited {seconds:.0f} s for {what}\n{tail}")
        await asyncio.sleep(0.05)


def _with_us() -> tuple[str, ...]:
    """Nothing of the campaign outlives it, even if it is killed itself."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL") if setpriv else ()
