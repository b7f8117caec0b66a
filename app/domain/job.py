"""Jobs: their kinds, their states and what a finished one says about the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class JobKind(StrEnum):
    PROVISION = "provision"
    ENROLL = "enroll"
    #: Put a set of app servers into service, and the set before it out of service.
    ACTIVATE = "activate"
    #: Take an app server out of service; it goes on running.
    DEACTIVATE = "deactivate"
    #: Stop an app server and remove its files.
    TERMINATE = "terminate"
    #: Change which extensions the releases contain that serve, and what is enabled of them.
    INSTALL = "install"
    UNINSTALL = "uninstall"
    ENABLE = "enable"
    DISABLE = "disable"
    #: Bring an instance's router to what is wanted of it; nothing else changes.
    ROUTE = "route"
    #: Look at what serves, and keep what was found; nothing changes on any host.
    INSPECT = "inspect"


class JobStatus(StrEnum):
    #: Committed, not yet taken by a worker; also between two attempts.
    QUEUED = "queued"
    #: A worker looked at it and was refused a lock or a unit of capacity; it holds no slot.
    BLOCKED = "blocked"
    #: One worker holds the lease and writes as attempt N.
    RUNNING = "running"
    #: A cancel was asked for and the work has not stopped yet.
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    #: A newer request for the same thing replaced it before it started.
    SUPERSEDED = "superseded"


#: Kinds that change an instance's extensions.
EXTENDING = frozenset({JobKind.INSTALL, JobKind.UNINSTALL, JobKind.ENABLE, JobKind.DISABLE})

FINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.SUPERSEDED})
WAITING = frozenset({JobStatus.QUEUED, JobStatus.BLOCKED})


class EndingWhy(StrEnum):
    """Why a job must stop before its plan is done: what was done is undone, then it ends."""

    CANCELED = "canceled"
    WORKER_LOST = "worker-lost"
    DEADLINE = "deadline-exceeded"
    #: It had begun, and then waited too long for locks that another job held.
    LOCK_WAIT = "lock-wait-timeout"


@dataclass(frozen=True)
class Ending:
    """An order to stop, as it stands in the job's row."""

    why: EndingWhy
    #: When it was asked for, RFC 3339.
    at: str
    by: str | None = None
    reason: str | None = None
    #: Also steps that would rather finish are interrupted.
    force: bool = False


class Answer(StrEnum):
    """What somebody says about a step whose outcome nobody could know."""

    DONE = "done"
    REPEAT = "repeat"
    FAILED = "failed"


class OnConflict(StrEnum):
    """What to do with a request when the same thing is already waiting."""

    QUEUE = "queue"
    #: Answer with the identical job that waits.
    RETURN = "return"
    #: Replace the jobs of the same kind and instance that wait.
    SUPERSEDE = "supersede"
    REJECT = "reject"


class StepStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"
    #: The step may or may not have had its effect: nobody can tell from here.
    UNKNOWN = "unknown"


#: Steps that are over and need no second look.
STEP_DONE = frozenset({StepStatus.SUCCEEDED, StepStatus.SKIPPED})


class Outcome(StrEnum):
    """What a finished job did to the instance."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"


class ServiceState(StrEnum):
    """What the site serves now, as measured by a probe; never guessed."""

    SERVING_NEW = "serving_new"
    SERVING_OLD = "serving_old"
    MAINTENANCE = "maintenance"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class LeasePolicy:
    """How long a silent worker keeps a job, and how often a live one says so."""

    lease: timedelta = timedelta(seconds=15)
    renew_every: timedelta = timedelta(seconds=5)


@dataclass(frozen=True)
class WaitPolicy:
    """How long a job waits for its locks, and how often it looks."""

    #: For another job's lock; behind it the job ends as `lock-wait-timeout`.
    lock_wait: timedelta = timedelta(hours=1)
    #: Locking itself failed: after so long it is tried again, so many times in a row.
    locking_again_after: timedelta = timedelta(seconds=1)
    most_locking_failures: int = 10
    #: A row nobody claimed for this long is pushed to Redis again.
    push_again_after: timedelta = timedelta(seconds=5)
    #: After so many workers went silent with it, a job is only undone, as `worker-lost`.
    most_lost_workers: int = 3
    #: A cancel can be made a forced one after this long.
    cool_off: timedelta = timedelta(seconds=30)


def lock_names(kind: JobKind, *, instance_id: object, host_id: object) -> tuple[str, ...]:
    """Redis locks a job of this kind must hold while it works, in sorted order."""
    if kind is JobKind.ENROLL:
        return (f"host:{host_id}",)
    return (f"instance:{instance_id}",)


#: What people call it, where that is not the kind itself.
_NOUNS = {
    JobKind.ACTIVATE: "activation",
    JobKind.DEACTIVATE: "deactivation",
    JobKind.TERMINATE: "termination",
    JobKind.INSTALL: "installation",
    JobKind.UNINSTALL: "removal",
    JobKind.INSPECT: "inspection",
}


def purpose(
    kind: JobKind,
    *,
    instance: str | None,
    host: str | None,
    revision: str | None,
    names: Sequence[str] = (),
) -> str:
    """What a job is for, in words: "provision of shop to v2", "activation of shop: AppServer 2".

    `names` are those of the app servers that it is about, as its params have them.
    """
    to = f" to {revision}" if revision else ""
    which = f": {', '.join(names)}" if names else ""
    return f"{_NOUNS.get(kind, kind)} of {instance or host or 'something that is gone'}{to}{which}"


def takes_capacity(kind: JobKind) -> bool:
    """Whether a running job of this kind uses one unit of its host's capacity."""
    return kind is not JobKind.ENROLL


#: More jobs than there will ever be; times the number of priorities it is still exact in a double.
_MOST_JOBS = 2**40
_LOWEST_PRIORITY = -100


def place_of(*, begun: bool, priority: int, sequence: int) -> float:
    """A job's place in every line, the lowest first: what has begun, then the order of requests."""
    if begun:
        return float(sequence)
    return float((priority - _LOWEST_PRIORITY + 1) * _MOST_JOBS + sequence)
