"""How long jobs were without a worker after a fault that hit theirs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.judge.history import FINAL_EVENTS, TAKEN, Event, Fault, History, Job, clock

#: DESIGN: nineteen of twenty jobs have a successor at most so many seconds later.
BOUND = 20.0
#: Faults that take a worker from its jobs.
_HITS = frozenset({"kill-worker", "stop-worker", "partition-postgres"})
#: Faults during which nobody can take a job.
_OUTAGES = frozenset({"postgres-restart", "redis-restart", "redis-failover"})
#: Seconds in which a job is taken back from a worker that went silent: at least a lease but for the
#: time between two renewals, at most a lease and some looks of the reconciler. When it took longer,
#: the worker had come back.
_SHORTEST, _LONGEST = 9.5, 22.0
#: Seconds between the note of a fault and its effect, at most.
_DELAY = 1.0
#: A worker's hold on a job is over with one of these.
_GIVEN_BACK = frozenset({"job.recovered", "job.handed_over", "job.suspended"}) | FINAL_EVENTS


@dataclass(frozen=True)
class Recovery:
    job: str
    fault: Fault
    seconds: float
    #: What was subtracted: nobody could have taken the job then.
    outage: float
    taken: Event

    def __str__(self) -> str:
        outage = f", {self.outage:.1f} s of outage left out" if self.outage else ""
        about = f"{self.seconds:.1f} s after {self.fault.kind} of {self.fault.worker}{outage}"
        return f"{clock(self.fault.at)} {self.job}: {about}; {self.taken}"


@dataclass(frozen=True)
class _Hold:
    """One attempt, from its claim until its job was taken back, and the next one's claim."""

    job: Job
    worker: str
    since: float
    recovered: Event
    successor: Event


def recoveries(history: History) -> list[Recovery]:
    """One for each attempt that a fault ended; who came back in time needed none."""
    found = []
    for job in history.jobs:
        for hold in _holds(job):
            if fault := _cause(history, hold):
                start, end = fault.at, hold.successor.at
                outage = _outage(history.faults, start, end)
                found.append(Recovery(job.id, fault, end - start - outage, outage, hold.successor))
    return found


def percentile(values: Sequence[float], part: float) -> float | None:
    """The smallest value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else None


def _holds(job: Job) -> Iterator[_Hold]:
    """Those that ended because their worker went silent, and that somebody followed."""
    for place, event in enumerate(job.events):
        if event.type not in TAKEN:
            continue
        rest = job.events[place + 1 :]
        over = next((later for later in rest if later.type in _GIVEN_BACK | TAKEN), None)
        if over is None or over.type not in TAKEN | {"job.recovered"}:
            continue
        wanted = TAKEN | FINAL_EVENTS
        next_ = next((e for e in rest if e.type in wanted and e.seq >= over.seq), None)
        if next_ is not None:
            yield _Hold(job, str(event.data.get("worker")), event.at, over, next_)


def _cause(history: History, hold: _Hold) -> Fault | None:
    """The fault that took the worker away; the first one that explains when."""
    hits = [
        fault
        for fault in sorted(history.faults, key=lambda fault: fault.at)
        if fault.kind in _HITS
        and fault.worker == hold.worker
        and hold.since <= fault.at <= hold.recovered.at - _SHORTEST
        and not _worked_after(hold, fault)
    ]
    explaining = (fault for fault in hits if _explains(history, hold, fault))
    return next(explaining, hits[-1] if hits else None)


def _worked_after(hold: _Hold, fault: Fault) -> bool:
    """Whether the job told something between the end of the fault and its being taken back."""
    return any(
        fault.until + _DELAY < event.at < hold.recovered.at
        for event in hold.job.events
        if event.type.startswith(("step.", "app_server."))
    )


def _explains(history: History, hold: _Hold, fault: Fault) -> bool:
    end = hold.recovered.at
    return end - fault.at - _outage(history.faults, fault.at, end) <= _LONGEST


def _outage(faults: Sequence[Fault], start: float, end: float) -> float:
    """Seconds between the two in which Postgres or Redis was away; those of both count once."""
    away, until = 0.0, start
    for fault in sorted(faults, key=lambda fault: fault.at):
        if fault.kind in _OUTAGES:
            first, last = max(fault.at, until), min(fault.until, end)
            if last > first:
                away, until = away + last - first, last
    return away
