"""What a campaign left behind, as plain values: the only thing that the checks look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

FINAL = frozenset({"succeeded", "failed", "canceled", "superseded"})
FINAL_EVENTS = frozenset(f"job.{status}" for status in FINAL)
#: A worker has taken the job.
TAKEN = frozenset({"job.started", "job.resumed"})


def clock(at: float) -> str:
    """The time of day, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"


@dataclass(frozen=True)
class Accepted:
    """A 202; times are seconds since 1970, as everywhere here."""

    job: str
    instance: str
    host: str
    at: float


@dataclass(frozen=True)
class Fault:
    """`worker` is `host:pid`, as it stands in the jobs' events, when a worker was hit."""

    kind: str
    target: str
    at: float
    until: float
    worker: str | None = None


@dataclass(frozen=True)
class Seen:
    """What the API answered about a job at some moment."""

    job: str
    status: str
    at: float


@dataclass(frozen=True)
class Mark:
    """A line that a step wrote on its host, by the host's clock."""

    at: float
    what: Literal["begin", "end"]
    job: str
    number: int
    instance: str
    host: str
    #: In the host's log, from 1.
    line: int

    def __str__(self) -> str:
        at = clock(self.at)
        return f"{at} {self.host}, line {self.line}: {self.what} of step {self.number}"


@dataclass(frozen=True)
class Torn:
    """A line that is no mark."""

    host: str
    line: int
    text: str
    is_last: bool


@dataclass(frozen=True)
class Event:
    seq: int
    at: float
    type: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        names = ("number", "attempt", "worker")
        about = "".join(f", {name} {self.data[name]}" for name in names if name in self.data)
        return f"{clock(self.at)} event {self.seq}: {self.type}{about}"


@dataclass(frozen=True)
class Job:
    id: str
    status: str
    last_seq: int
    kind: str = "provision"
    instance: str | None = None
    host: str | None = None
    dry_run: bool = False
    is_leased: bool = False
    outcome: str | None = None
    finished_at: float | None = None
    #: In the order of their numbers.
    events: Sequence[Event] = ()

    @property
    def end(self) -> Event | None:
        """The first of its last events."""
        return next((event for event in self.events if event.type in FINAL_EVENTS), None)

    def of_step(self, number: int) -> list[Event]:
        return [event for event in self.events if event.data.get("number") == number]


@dataclass(frozen=True)
class Step:
    job: str
    number: int
    name: str
    status: str
    finished_at: float | None = None


@dataclass(frozen=True)
class AppServer:
    name: str
    job: str
    status: str


@dataclass(frozen=True)
class Lock:
    name: str
    token: int


@dataclass(frozen=True)
class Served:
    """An instance behind the router, when all was over; numbers are those of app servers."""

    instance: str
    #: As Postgres has them.
    active: frozenset[int]
    #: Where those listen, and where the router passes requests on.
    wanted: frozenset[str]
    routed: frozenset[str]
    #: Whether the router is known to have what is wanted of it.
    is_settled: bool
    #: Whose background parts were told to start last.
    background: frozenset[int]
    #: Where the link `current` leads.
    current: int | None


@dataclass(frozen=True)
class History:
    accepted: Sequence[Accepted] = ()
    faults: Sequence[Fault] = ()
    seen: Sequence[Seen] = ()
    marks: Sequence[Mark] = ()
    torn: Sequence[Torn] = ()
    jobs: Sequence[Job] = ()
    steps: Sequence[Step] = ()
    app_servers: Sequence[AppServer] = ()
    locks: Sequence[Lock] = ()
    served: Sequence[Served] = ()
    #: Keys that are left in Redis after their longest life.
    redis_locks: Sequence[str] = ()
    seed: int | None = None
    #: Faults that could not be had, with the reason.
    left_out: Sequence[str] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Job]:
        return {job.id: job for job in self.jobs}

    @cached_property
    def worked(self) -> Sequence[str]:
        """Jobs that left a line on a host."""
        return list(dict.fromkeys(mark.job for mark in self.marks))

    def marks_of(self, job: str) -> list[Mark]:
        """In the order of their times."""
        return sorted((mark for mark in self.marks if mark.job == job), key=lambda mark: mark.at)
