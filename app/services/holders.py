"""Locks as people see them: who has which, since when, who waits, and whether it may be broken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind, JobStatus, LeasePolicy, purpose
from app.domain.lock import BadLockName, advice, hold_of, last_line, manual_advice, parse_name
from app.errors import NotFound
from app.store.lines import InLine

#: Of those that wait for a lock, so many are shown.
_MOST_WAITING = 100
_UNKNOWN = "somebody"


@dataclass(frozen=True)
class Holder:
    """The job that has the lock, and how far it is."""

    job: UUID
    kind: str
    actor: str
    #: What it is for: "provision of shop to v2".
    why: str
    status: JobStatus
    attempt: int
    #: None while no worker has the job: it waits, and its lock is reserved.
    worker: str | None
    #: When the job began.
    since: datetime
    #: When its worker was last heard.
    heard_at: datetime | None
    lease_until: datetime | None
    alive: bool
    #: The step begun last.
    step: str | None
    step_since: datetime | None
    #: Of the output of its steps.
    last_line: str | None


@dataclass(frozen=True)
class Queued:
    """A job that waits for the lock."""

    job: UUID
    kind: str
    actor: str
    since: datetime
    #: From 1.
    position: int


@dataclass(frozen=True)
class LockView:
    """A lock that somebody holds: a job, or a person who placed it by hand with a message."""

    #: For people: instance:shop, host:web-1, manual:all, manual:host:web-1.
    name: str
    token: int
    message: str | None
    actor: str
    #: When it was taken: by the job's present attempt, or by the person.
    since: datetime
    holder: Holder | None
    #: The first of those that wait, in order.
    waiting: list[Queued]
    safe_to_break: bool
    #: What to do, with the command.
    advice: str


async def find(session: AsyncSession, name: str) -> tuple[str, Mapping[str, Any]]:
    """What the lock's row is called, and the row; raises NotFound when nobody holds it."""
    try:
        key = await store.locks.row_name(session, parse_name(name))
    except BadLockName as error:
        raise NotFound(str(error), hint="List those that are held: liftlock locks list") from error
    return key, await held(session, key, name)


async def held(session: AsyncSession, key: str, name: str) -> Mapping[str, Any]:
    """The row of that name (`name` for people); raises NotFound when nobody holds it."""
    row = await store.locks.find_held(session, key)
    if row is None:
        raise NotFound(
            f"Nobody holds {name}.", hint="List those that are held: liftlock locks list"
        )
    return row


async def views(session: AsyncSession, found: Sequence[Mapping[str, Any]]) -> list[LockView]:
    """Each with those that wait for it, in one statement for the page."""
    targets = {row["target"] for row in found if row["job_id"] and row["target"]}
    line = await store.lines.find(session, instances=targets, hosts=targets, most=_MOST_WAITING)
    return [_placed(row) if row["job_id"] is None else _taken(row, line) for row in found]


def holder_of(row: Mapping[str, Any]) -> Holder:
    lease_until = row["lease_until"]
    return Holder(
        job=row["job_id"],
        kind=row["kind"],
        actor=row["asked_by"] or _UNKNOWN,
        why=purpose(
            JobKind(row["kind"]),
            instance=row["instance"],
            host=row["host"],
            revision=row["revision"],
            names=row["names"] or (),
        ),
        status=JobStatus(row["status"]),
        attempt=row["attempt"],
        worker=row["worker"],
        since=row["started_at"],
        heard_at=lease_until and lease_until - LeasePolicy().lease,
        lease_until=lease_until,
        alive=row["alive"],
        step=row["step"],
        step_since=row["step_since"],
        last_line=last_line(row["said"]),
    )


def _taken(row: Mapping[str, Any], line: Sequence[InLine]) -> LockView:
    holder, suspended = holder_of(row), row["suspended"] or {}
    hold = hold_of(
        lease_until=holder.lease_until, now=row["now"], suspended=row["suspended"] is not None
    )
    return LockView(
        name=row["shown"],
        token=row["token"],
        message=None,
        actor=holder.actor,
        since=row["acquired_at"],
        holder=holder,
        waiting=[
            Queued(one.job, one.kind, one.actor or _UNKNOWN, one.since, one.position)
            for one in line
            if one.target == row["target"] and one.job != holder.job
        ],
        safe_to_break=not holder.alive,
        advice=advice(
            hold,
            job=holder.job,
            actor=holder.actor,
            reason=suspended.get("reason"),
            order=store.jobs.ending_of(row["ending"]),
        ),
    )


def _placed(row: Mapping[str, Any]) -> LockView:
    name, token, actor = row["shown"], row["token"], row["actor"] or _UNKNOWN
    return LockView(
        name=name,
        token=token,
        message=row["message"],
        actor=actor,
        since=row["acquired_at"],
        holder=None,
        waiting=[],
        safe_to_break=True,
        advice=manual_advice(name, token=token, actor=actor),
    )
