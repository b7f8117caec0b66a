"""How a job ends: its last state, its app server, its last event, in one commit."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import failure_of
from app.domain.event import EventType
from app.domain.job import EXTENDING, Ending, JobStatus, Outcome, ServiceState
from app.errors import Unavailable
from app.models import Job
from app.services import extension_notes, following, judging_hosts
from app.services.following import Ground
from app.services.moving import move
from app.store.database import Database

_LAST_EVENTS = {
    JobStatus.SUCCEEDED: EventType.JOB_SUCCEEDED,
    JobStatus.FAILED: EventType.JOB_FAILED,
    JobStatus.CANCELED: EventType.JOB_CANCELED,
    JobStatus.SUPERSEDED: EventType.JOB_SUPERSEDED,
}


async def settle(
    db: Database,
    job: Job,
    *,
    status: JobStatus,
    error: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
    service_state: ServiceState | None = None,
    told: Mapping[str, Any] | None = None,
) -> list[tuple[UUID, int]]:
    """Write the end: final state, app server, last event, and the job that follows, in one commit.

    What it found out about the host is noted after that. Returns, with their next attempts, the
    job that follows and the waiting jobs that may run now. Raises LostOwnership.
    """
    grows = following.may_change_more(job, status, error, outcome)
    # A success has nothing to tell but its last event: one statement says it all.
    at_once = status is JobStatus.SUCCEEDED and not grows
    next_job = None
    async with db.statement() if at_once else db.transaction() as session:
        ground = await following.lock(session, job, status) if grows else None
        # The fence first: it locks the row, and what follows stands or falls with it.
        ordered = await store.attempts.settle(
            session,
            job.id,
            attempt=job.attempt,
            status=status,
            error=error,
            outcome=outcome,
            service_state=service_state,
            event=(_LAST_EVENTS[status], dict(told or {})) if at_once else None,
        )
        if not at_once:
            next_job = await _follow_up(
                session,
                job,
                status,
                error,
                told=told,
                outcome=outcome,
                ground=ground,
                ordered=ordered,
            )
    pushed = [(next_job.id, next_job.attempt + 1)] if next_job else []
    return pushed + [one for one in await _rivals(db, job, error) if one not in pushed]


async def _rivals(
    db: Database, job: Job, error: Mapping[str, Any] | None
) -> list[tuple[UUID, int]]:
    """Those who may run now, once it is noted what the job found out about its host."""
    try:
        async with db.statement() as session:
            # Not with the end of the job: a claim locks the host first and the job after it.
            await judging_hosts.note(session, job, error)
            return await store.outbox.list_rivals(session, job)
    except Unavailable:
        return []  # the job has ended all the same, and the dispatcher finds its rivals


async def end_waiting(
    session: AsyncSession,
    job: Job,
    status: JobStatus,
    *,
    error: Mapping[str, Any] | None = None,
    outcome: Outcome = Outcome.UNCHANGED,
    service_state: ServiceState | None = None,
    told: Mapping[str, Any] | None = None,
    first: Sequence[store.events.NewEvent] = (),
) -> None:
    """End a job that no worker has; nothing follows it. Call with its row locked.

    `told` goes into the last event, `first` is told before everything else.
    """
    await store.attempts.settle(
        session,
        job.id,
        attempt=job.attempt,
        status=status,
        held=False,
        error=error,
        outcome=outcome,
        service_state=service_state,
    )
    if first:
        await store.events.append(session, job.id, *first)
    await _follow_up(session, job, status, error, told=told, outcome=outcome)


async def end_abandoned(
    session: AsyncSession,
    job: Job,
    *,
    error: Mapping[str, Any],
    first: store.events.NewEvent | None = None,
    ground: Ground | None = None,
) -> None:
    """End a job as failed that nobody will undo, also under the hands of its worker.

    The worker is refused from now on. Call with the job's row locked and freshly read; `first` is
    told before everything else. With `ground`, locked before the job, another attempt may follow.
    """
    ordered = await store.attempts.settle(
        session,
        job.id,
        attempt=job.attempt,
        status=JobStatus.FAILED,
        held=job.lease_until is not None,
        error=error,
        outcome=Outcome.ROLLBACK_FAILED,
        service_state=ServiceState.UNKNOWN if job.instance_id else None,
    )
    if first is not None:
        await store.events.append(session, job.id, first)
    await _follow_up(session, job, JobStatus.FAILED, error, ground=ground, ordered=ordered)


async def _follow_up(
    session: AsyncSession,
    job: Job,
    status: JobStatus,
    error: Mapping[str, Any] | None,
    *,
    told: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
    ground: Ground | None = None,
    ordered: Ending | None = None,
) -> Job | None:
    """The consequences every end has: no app server stays unsteady, and the last event.

    Returns the job that follows, if one does.
    """
    if status is not JobStatus.SUCCEEDED:
        await _fail_app_servers(session, job, error)
    if error is not None and job.kind in EXTENDING:
        await extension_notes.fail(session, job, error, undone=extension_notes.is_undone(outcome))
    if error is not None and error.get("code") == "unconfirmed-gone":
        await store.standing.keep_unconfirmed(session, UUID(job.params["app_server"]), error)
    if error is not None and ground is not None and judging_hosts.may_close(job, status, error):
        await judging_hosts.close(session, job, error, ground.host)
    next_job = await following.follow(
        session, job, status, error, ground=ground, ordered=ordered, outcome=outcome
    )
    data = dict(told or {}) | ({"error": error} if error is not None else {})
    await store.events.append(session, job.id, (_LAST_EVENTS[status], data))
    return next_job


async def _fail_app_servers(
    session: AsyncSession, job: Job, error: Mapping[str, Any] | None
) -> None:
    for app_server in await store.app_servers.list_of_job(session, job.id):
        final = failure_of(app_server.status)
        if final is not None:
            await move(session, job, app_server, final, error=error)
