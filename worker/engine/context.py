"""What one run works with, shared by those who carry it out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from app.domain.redaction import Redactor
from worker.engine.journal import Journal
from worker.engine.past import Past
from worker.engine.policy import RetryPolicy, WaitingPolicy
from worker.engine.stop import Stop
from worker.plans.plan import Plan
from worker.remote.errors import RemoteError, StaleToken
from worker.remote.host import Fence, Host, HostKey

#: What a step may have on the host besides itself, as endings of its name.
UNDO, ALIVE, ASKED = "undo", "alive", "asked"
#: Names of steps that one call to the host may carry.
_MOST_NAMES = 100
#: Seconds after which a pause looks whether the worker is to stop.
_LOOK = 0.25


@contextmanager
def forgiving() -> Iterator[None]:
    """For what may fail on the host; StaleToken goes through, for the job is another attempt's."""
    try:
        yield
    except StaleToken:
        raise
    except RemoteError:
        pass


class Interrupted(Exception):
    """The worker stops, and the run has reached the boundary between two steps."""


class Suspended(Exception):
    """The run has come to a step that waits; another attempt goes on from there."""

    def __init__(
        self,
        kind: Literal["time", "probe", "question"],
        number: int,
        step: str,
        *,
        since: datetime,
        until: datetime,
        reason: str,
    ) -> None:
        super().__init__(reason)
        self.kind, self.number, self.step = kind, number, step
        self.since, self.until, self.reason = since, until, reason


@dataclass
class Context:
    plan: Plan
    name: str
    host: Host
    read_host_key: Callable[[], Awaitable[HostKey]]
    journal: Journal
    secrets: Mapping[str, str]
    facts: dict[str, str]
    past: Past
    stop: Stop
    fence: Fence | None
    retry: RetryPolicy
    waiting: WaitingPolicy
    stopping: Callable[[], bool]
    #: Whether a job, by its name on the host, is known to have ended.
    has_ended: Callable[[str], Awaitable[bool]]
    #: Where contents of static files are kept, on this machine.
    assets_cache: Path | None = None
    redactor: Redactor = field(init=False)
    #: Folders on the host that nobody needs once the run is over.
    folders: dict[str, None] = field(init=False)

    def __post_init__(self) -> None:
        self.redactor = Redactor(self.secrets.values())
        # Also of an attempt that died: whatever a step can leave has a name known from here.
        self.folders = dict.fromkeys(
            self.folder(f"{number}{part}")
            for number in self.past.begun
            for part in ("", f"-{UNDO}", f"-{ALIVE}", f"-{ASKED}")
        )

    def folder(self, part: str) -> str:
        """The name of a step, or of a part of one, on the host."""
        return f"{self.name}-{part}"

    async def forget(self, folders: Iterable[str]) -> None:
        """Remove folders, so that a step of that name is a new one. Raises RemoteError."""
        names = list(folders)
        for first in range(0, len(names), _MOST_NAMES):
            await self.host.clean(*names[first : first + _MOST_NAMES], fence=self.fence)
        for name in names:
            self.folders.pop(name, None)

    async def tidy(self) -> None:
        """Remove what is left, if the host answers; one that does not is tidied another day."""
        with forgiving():
            await self.forget(self.folders)

    async def pause(self, seconds: float) -> None:
        """Wait; raises Stopped or Interrupted as soon as there is a cause."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            if self.stopping():
                raise Interrupted
            await self.stop.pause(min(left, _LOOK))
