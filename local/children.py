"""Child processes that are kept running, and stopped in order."""

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from local import processes
from local.errors import Failed
from local.processes import Process

LOG_LIMIT = 16 * 1024 * 1024
LOG_CHECK = 60.0
TAIL_LINES = 15
POLL = 0.05


@dataclass(frozen=True)
class Child:
    """One program; its name is its log's name."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    #: Signals to stop it, each with the seconds it is given; KILL follows by itself.
    stop: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)
    #: More keyword arguments for subprocess.
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """When a dead child is started again (seconds), and when no more."""

    first_delay: float = 0.2
    longest_delay: float = 10.0
    deaths: int = 5
    within: float = 60.0
    ready_within: float = 60.0

    def delay(self, deaths: int) -> float:
        return min(self.longest_delay, self.first_delay * 2.0 ** (deaths - 1))


class Children:
    """Starts children in order, restarts the dead, stops all by turns, in reverse order."""

    def __init__(
        self,
        logs: Path,
        *,
        remember: Callable[[str, Process | None], None],
        say: Callable[[str], None],
        policy: Policy | None = None,
        turn: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """`turn` tells by its name when a child is stopped: those with the lowest come first."""
        self._logs = logs
        self._remember = remember
        self._say = say
        self._policy = policy or Policy()
        self._turn = turn
        self._kept: list[_Kept] = []
        self._once: asyncio.subprocess.Process | None = None
        self._given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()

    async def start(self, child: Child, *, ready: Callable[[], bool]) -> None:
        """Start it and wait until it is ready; raises Failed when it stays dead or silent.

        `ready` is called in a thread and may block for a short time.
        """
        kept = _Kept(child)
        self._kept.append(kept)
        await self._spawn(kept)
        kept.task = asyncio.create_task(self._keep(kept))
        kept.task.add_done_callback(self._note)
        deadline = time.monotonic() + self._policy.ready_within
        while not (kept.is_alive() and await asyncio.to_thread(ready)):
            if self._given_up.done():
                self._given_up.result()
            if time.monotonic() > deadline:
                raise Failed(self._report(child, "did not become ready"))
            await asyncio.sleep(POLL)

    async def once(self, child: Child) -> str:
        """Run it to its end; returns its standard output, raises Failed when it fails."""
        with self._log(child) as log:
            self._once = await asyncio.create_subprocess_exec(
                *child.argv,
                env=dict(child.env),
                cwd=child.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        output, _ = await self._once.communicate()
        status, self._once = self._once.returncode, None
        if status != 0:
            raise Failed(self._report(child, f"failed with exit code {status}"))
        return output.decode()

    async def watch(self) -> None:
        """Keep the logs in bounds until a child stays dead; then raises Failed."""
        while not self._given_up.done():
            await asyncio.wait([self._given_up], timeout=LOG_CHECK)
            for kept in self._kept:
                trim(self._path(kept.child))
        self._given_up.result()

    async def stop(self) -> None:
        """Stop all, each proved gone before the next; in one turn the last started first."""
        if self._once is not None and self._once.returncode is None:
            self._once.terminate()
            await self._wait(self._once, 10.0)
            if self._once.returncode is None:
                self._once.kill()
                await self._once.wait()
        self._kept.sort(key=lambda kept: self._turn(kept.child.name), reverse=True)
        while self._kept:
            kept = self._kept.pop()
            await self._end(kept)
            self._remember(kept.child.name, None)
        if self._given_up.done():
            self._given_up.exception()

    def hurry(self) -> None:
        """Somebody pressed Ctrl-C again: shorten the waits."""
        self._hurry.set()

    async def _keep(self, kept: "_Kept") -> None:
        """Until it is to stop; raises Failed when it died too often."""
        while not kept.stopping.is_set():
            status = await kept.running.wait()
            if kept.stopping.is_set():
                return
            deaths, how = kept.died(self._policy.within), describe(status)
            if deaths >= self._policy.deaths:
                problem = f"died {deaths} times within {self._policy.within:.0f} s ({how})"
                raise Failed(self._report(kept.child, problem))
            delay = self._policy.delay(deaths)
            self._say(f"{kept.child.name} died ({how}); starting it again in {delay:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(kept.stopping.wait(), delay)
            await self._spawn(kept)

    def _note(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._given_up.done():
            self._given_up.set_exception(error)

    async def _spawn(self, kept: "_Kept") -> None:
        async with kept.spawning:
            if not kept.stopping.is_set():
                kept.process = await self._process(kept.child)
                self._remember(kept.child.name, processes.identify(kept.process.pid))

    async def _process(self, child: Child) -> asyncio.subprocess.Process:
        with self._log(child) as log:
            try:
                return await asyncio.create_subprocess_exec(
                    *child.argv,
                    env=dict(child.env),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # Ctrl-C reaches this process only; it stops the children one by one.
                    start_new_session=True,
                    **{"cwd": child.cwd, **child.options},
                )
            except OSError as error:
                raise Failed(f"{child.name} cannot be started: {error}") from error

    async def _end(self, kept: "_Kept") -> None:
        async with kept.spawning:
            kept.stopping.set()
        process = kept.process
        if process is None:
            return
        for number, seconds in kept.child.stop:
            if process.returncode is None:
                process.send_signal(number)
                await self._wait(process, seconds)
        if process.returncode is None:
            self._say(f"{kept.child.name} did not stop; killing it")
            process.kill()
        await process.wait()
        if kept.task is not None:
            await asyncio.wait({kept.task})

    async def _wait(self, process: asyncio.subprocess.Process, seconds: float) -> None:
        ended = asyncio.create_task(process.wait())
        hurried = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({ended, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if hurried.done():
            await asyncio.wait({ended}, timeout=1.0)
        for task in (ended, hurried):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _path(self, child: Child) -> Path:
        return self._logs / f"{child.name}.log"

    def _log(self, child: Child) -> IO[bytes]:
        return self._path(child).open("ab")

    def _report(self, child: Child, problem: str) -> str:
        path = self._path(child)
        lines = path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        tail = "\n".join(f"  {line}" for line in lines)
        return f"{child.name} {problem}. The last lines of {path}:\n{tail}"


class _Kept:
    """A child with its present process."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.process: asyncio.subprocess.Process | None = None
        self.task: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()
        #: Held while a process is made, so that none appears behind the back of a stop.
        self.spawning = asyncio.Lock()
        self._deaths: deque[float] = deque()

    @property
    def running(self) -> asyncio.subprocess.Process:
        if self.process is None:
            raise Failed(f"{self.child.name} was never started.")
        return self.process

    def is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def died(self, within: float) -> int:
        """Count a death; how many there were in the last seconds."""
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - within:
            self._deaths.popleft()
        return len(self._deaths)


def describe(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def trim(log: Path) -> None:
    """Begin a log anew when it is long, keeping one older piece."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            log.with_name(f"{log.name}.1").write_bytes(log.read_bytes())
            # In place, because the child goes on appending to the open file.
            with log.open("r+b") as file:
                file.truncate(0)
