"""How a job ends: its last state, its app server, its last event, in one commit."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus, failure_of
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobStatus, Outcome, ServiceState
from app.errors import Unavailable
from app.models import AppServer, Job
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
    """Write the end: final state, app server, last event, in one commit.

    What it found out about the host is noted after that. Returns the waiting jobs that may run
    now. Raises LostOwnership.
    """
    # A success has nothing to tell but its last event: one statement says it all.
    at_once = status is JobStatus.SUCCEEDED
    async with db.statement() if at_once else db.transaction() as session:
        # The fence first: it locks the row, and what follows stands or falls with it.
        await store.attempts.settle(
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
            await _follow_up(session, job, status, error, told or {})
    try:
        async with db.statement() as session:
            # Not with the end of the job: a claim locks the host first and the job after it.
            await _note_reachability(session, job, error)
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
) -> None:
    """End a job that no worker has. Call with its row locked; `told` goes into the last event."""
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
    await _follow_up(session, job, status, error, told or {})


async def end_abandoned(
    session: AsyncSession,
    job: Job,
    *,
    error: Mapping[str, Any],
    first: store.events.NewEvent | None = None,
) -> None:
    """End a job as failed that nobody will undo, also under the hands of its worker.

    The worker is refused from now on. Call with the job's row locked and freshly read; `first` is
    told before everything else.
    """
    await store.attempts.settle(
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
    await _follow_up(session, job, JobStatus.FAILED, error, {})


async def _follow_up(
    session: AsyncSession,
    job: Job,
    status: JobStatus,
    error: Mapping[str, Any] | None,
    told: Mapping[str, Any],
) -> None:
    """The consequences every end has: no app server stays unsteady, and the last event."""
    app_server = await store.app_servers.find_of_job(session, job.id)
    if app_server is not None and status is not JobStatus.SUCCEEDED:
        final = failure_of(app_server.status)
        if final is not None:
            await move(session, job, app_server, final, error=error)
    data = {**told, "error": error} if error is not None else dict(told)
    await store.events.append(session, job.id, (_LAST_EVENTS[status], data))


async def move(
    session: AsyncSession,
    job: Job,
    app_server: AppServer,
    wanted: AppServerStatus,
    *,
    attempt: int | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Change the state of the job's app server, with its event."""
    await store.app_servers.move(session, app_server, wanted, error=dict(error) if error else None)
    data = {"id": str(app_server.id), "name": app_server.name}
    event = (_APP_SERVER_EVENTS[wanted], data)
    await store.events.append(session, job.id, event, attempt=attempt)


async def _note_reachability(
    session: AsyncSession, job: Job, error: Mapping[str, Any] | None
) -> None:
    """The host's state as the job found it: unreachable, or ready again."""
    unreachable = error is not None and error.get("code") == "host-unreachable"
    if job.host_id is None or job.dry_run or (error is not None and not unreachable):
        return
    found = HostStatus.UNREACHABLE if unreachable else HostStatus.READY
    await store.hosts.note_status(session, job.id, attempt=job.attempt, found=found)
