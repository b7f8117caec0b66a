"""Deployments: the app servers of one request, what their end brings about, and how a site is."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.domain.app_server import AppServerStatus
from app.domain.job import Ending, EndingWhy, JobKind, JobStatus


class InstanceState(StrEnum):
    """How an instance is, by the newest request that left something."""

    #: Nothing ever ran: nothing was asked for, or the first request is being carried out.
    PREPARING = "preparing"
    #: A new request is being carried out, beside what an earlier one made.
    PROVISIONING = "provisioning"
    #: A new request waits, beside what an earlier one made.
    CHANGES_PENDING = "changes_pending"
    #: As many app servers run as were asked for.
    HEALTHY = "healthy"
    #: Fewer run than were asked for.
    UNHEALTHY = "unhealthy"
    #: Every app server was terminated.
    OFFLINE = "offline"


#: Jobs that tell a router something.
ROUTING = frozenset({JobKind.ACTIVATE, JobKind.DEACTIVATE, JobKind.ROUTE})

#: States of an app server that is not what it will be.
UNSTEADY = frozenset(
    {AppServerStatus.NEW, AppServerStatus.WAITING, AppServerStatus.CONFIGURING},
)


def state_of(
    statuses: Collection[AppServerStatus], *, wanted: int = 1, earlier: bool = False
) -> InstanceState:
    """From the app servers of the newest request, those of its failed tries among them.

    `wanted` is how many of them are to run; `earlier` says whether an earlier request made any.
    """
    found = set(statuses)
    if not found:
        return InstanceState.PREPARING
    if found & UNSTEADY:
        if not earlier:
            return InstanceState.PREPARING
        begun = found != {AppServerStatus.NEW}
        return InstanceState.PROVISIONING if begun else InstanceState.CHANGES_PENDING
    if found == {AppServerStatus.TERMINATED}:
        return InstanceState.OFFLINE
    running = sum(status is AppServerStatus.RUNNING for status in statuses)
    return InstanceState.HEALTHY if running >= wanted else InstanceState.UNHEALTHY


@dataclass(frozen=True)
class Try:
    """Which part of which request a provision is, as its `params` say."""

    #: The first job of the request.
    deployment: UUID
    #: App servers that the request makes.
    of: int
    #: The number of this try, from 1, and how many there may be.
    number: int
    most: int
    #: Whether its app servers go into service by themselves.
    activate: bool

    @property
    def is_last(self) -> bool:
        return self.number >= self.most


def try_of(job_id: UUID, params: dict[str, Any]) -> Try:
    """Jobs of an earlier release say nothing: they stand for themselves."""
    return Try(
        deployment=UUID(str(params.get("deployment") or job_id)),
        of=int(params.get("of", 1)),
        number=int(params.get("try", 1)),
        most=int(params.get("tries", 1)),
        activate=bool(params.get("activate", False)),
    )


#: Why a job ended that another try would end in the same way, or that somebody wanted to end.
_NO_OTHER_TRY = frozenset(
    {
        "canceled",
        "cancel-unproven",
        "deadline-exceeded",
        "lock-broken",
        "lock-wait-timeout",
        "locks-unavailable",
        "manual-lock",
        "needs-upgrade",
        "newer-request",
        "secret-missing",
    }
)


def helps_another_try(
    kind: JobKind, status: JobStatus, code: str | None, ending: Ending | None
) -> bool:
    """Whether an end is one that another app server may be spared."""
    stopped = ending is not None and ending.why is not EndingWhy.WORKER_LOST
    failed = kind is JobKind.PROVISION and status is JobStatus.FAILED
    return failed and not stopped and code not in _NO_OTHER_TRY
