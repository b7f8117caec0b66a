"""How a job ends: its last state, its app server, its last event, in one commit."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus, failure_of
from app.domain.event import EventType
from app.domain.job import Ending, JobStatus, Outcome, ServiceState
from app.errors import Unavailable
from app.models import AppServer, Job
from app.services import following, judging_hosts
from app.services.following import Ground
from app.store.database import Database

_APP_SERVER_EVENTS = {
    AppServerStatus.WAITING: EventType.APP_SERVER_WAITING,
    AppServerStatus.CONFIGURING: EventType.APP_SERVER_CONFIGURING,
    AppServerStatus.RUNNING: EventType.APP_SERVER_RUNNING,
    AppServerStatus.FAILED: EventType.APP_SERVER_FAILED,
    AppServerStatus.ERROR: EventType.APP_SERVER_ERROR,
    AppServerStatus.TERMINATED: EventType.APP_SERVER_TERMINATED,
}

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
    grows = following.may_change_more(job, status, error)
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
                session, job, status, error, told=told, ground=ground, ordered=ordered
            )
    pushed = [(next_job.id, next_job.attempt + 1)] if next_job else []
    try:
        async with db.statement() as session:
            # Not with the end of the job: a claim locks the host first and the job after it.
            await judging_hosts.note(session, job, error)
            rivals = await store.outbox.list_rivals(session, job)
    except Unavailable:
        rivals = []  # the job has ended all the same, and the dispatcher finds its rivals
    return pushed + [one for one in rivals if one not in pushed]


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
    await _follow_up(session, job, status, error, told=told)


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
    ground: Ground | None = None,
    ordered: Ending | None = None,
) -> Job | None:
    """The consequences every end has: no app server stays unsteady, and the last event.

    Returns the job that follows, if one does.
    """
    app_server = await store.app_servers.find_of_job(session, job.id)
    if app_server is not None and status is not JobStatus.SUCCEEDED:
        final = failure_of(app_server.status)
        if final is not None:
            await move(session, job, app_server, final, error=error)
    if error is not None and error.get("code") == "unconfirmed-gone":
        await store.standing.keep_unconfirmed(session, UUID(job.params["app_server"]), error)
    if error is not None and ground is not None and judging_hosts.may_close(job, status, error):
        await judging_hosts.close(session, job, error, ground.host)
    next_job = await following.follow(session, job, status, error, ground=ground, ordered=ordered)
    data = dict(told or {}) | ({"error": error} if error is not None else {})
    await store.events.append(session, job.id, (_LAST_EVENTS[status], data))
    return next_job


async def move(
    session: AsyncSession,
    job: Job,
    app_server: AppServer,
    wanted: AppServerStatus,
    *,
    attempt: int | None = None,
    error: Mapping[str, Any] | None = None,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Change the state of the job's app server, with its event, which says `told` as well."""
    await store.app_servers.move(session, app_server, wanted, error=dict(error) if error else None)
    data = {"id": str(app_server.id), "name": app_server.name, **(told or {})}
    event = (_APP_SERVER_EVENTS[wanted], data)
    await store.events.append(session, job.id, event, attempt=attempt)
