"""What one run works with on a host, shared by those who carry it out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from app.domain.redaction import Redactor
from worker.engine.journal import Journal
from worker.engine.past import Past
from worker.engine.policy import RetryPolicy, WaitingPolicy
from worker.engine.stop import Stop
from worker.plans.plan import Plan
from worker.remote.errors import RemoteError, StaleToken
from worker.remote.host import Fence, Host, HostKey, Output
from worker.steps.step import Step

#: What a step may have on the host besides itself, as endings of its name.
UNDO, ALIVE, ASKED = "undo", "alive", "asked"
#: The fact that names the steps that were left out, with commas.
PASSED_OVER = "passed_over"
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


def no_other_host(name: str) -> Host:
    """For plans that stay on the job's own host."""
    raise ValueError(f"A step of the plan is at {name}, and nobody said how to reach that host.")


class Machines(Protocol):
    """Makes and removes the machine of the job's host; raises Failed.

    `destroy` answers whether it is gone: it stays while others need it.
    """

    async def create(self, show: Output) -> None: ...
    async def destroy(self, show: Output) -> bool: ...


@dataclass
class Context:
    """One for each host of the plan; all but the host and its folders is the same in all."""

    plan: Plan
    name: str
    host: Host
    read_host_key: Callable[[], Awaitable[HostKey]]
    journal: Journal
    secrets: Mapping[str, str]
    past: Past
    stop: Stop
    fence: Fence | None
    retry: RetryPolicy
    waiting: WaitingPolicy
    stopping: Callable[[], bool]
    #: Whether a job, by its name on the host, is known to have ended.
    has_ended: Callable[[str], Awaitable[bool]]
    facts: dict[str, str] = field(default_factory=dict)
    #: None for a host that somebody registered.
    machines: Machines | None = None
    #: The bytes of an uploaded package, by their SHA-256.
    package_of: Callable[[str], Awaitable[bytes]] | None = None
    #: Where contents of static files are kept, on this machine.
    assets_cache: Path | None = None
    #: When steps were begun here; what earlier attempts began is in the past.
    times: dict[int, datetime] = field(default_factory=dict)
    #: By `Step.at`.
    places: dict[str, "Context"] = field(default_factory=dict)
    redactor: Redactor = field(init=False)
    #: The host did not answer, or was removed: nobody tidies there at the end.
    away: bool = False
    #: Folders on the host that nobody needs once the run is over.
    folders: dict[str, None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.redactor = Redactor(self.secrets.values())

    def spread(self, hosts: Callable[[str], Host]) -> None:
        """Find the host of every step, before anything is done on one of them."""
        self.places |= {"": self, self.host.name: self}
        steps = enumerate((*self.plan.steps, *self.plan.on_failure), start=1)
        for number, step in steps:
            if step.at not in self.places:
                self.places[step.at] = replace(self, host=hosts(step.at))
            if number in self.past.begun:
                self.at(step)._expect(number)  # noqa: SLF001 - of this class

    def _expect(self, number: int) -> None:
        """Also of an attempt that died: whatever a step can leave has a name known from here."""
        parts = ("", f"-{UNDO}", f"-{ALIVE}", f"-{ASKED}")
        self.folders |= dict.fromkeys(self.folder(f"{number}{part}") for part in parts)

    def at(self, step: Step) -> "Context":
        """The same run on the step's own host."""
        return self.places[step.at]

    def places_of(self, steps: Iterable[tuple[int, Step]]) -> "list[Context]":
        """The hosts of these steps, each once."""
        places = {place.host.name: place for place in (self.at(step) for _, step in steps)}
        return list(places.values())

    def since(self, number: int) -> datetime:
        """When a step was first begun, by whichever attempt."""
        begun = self.past.begun.get(number)
        if begun is not None and begun.since is not None:
            return begun.since
        return self.times.setdefault(number, datetime.now(UTC))

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
        if self.away:
            return
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
