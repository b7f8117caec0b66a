"""What a worker does with a job: look, claim, renew, record, settle. Every write is fenced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus, failure_of
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import (
    JobStatus,
    LeasePolicy,
    Outcome,
    ServiceState,
    StepStatus,
    WaitPolicy,
    takes_capacity,
)
from app.gateways.vault import Vault
from app.models import AppServer, Job
from app.services import secrets
from app.services.work import Work, freeze, lock_instance
from app.store.database import Database

#: As many waiting jobs are woken when one ends; the dispatcher finds the rest.
_WAKE = 8

_APP_SERVER_EVENTS = {
    AppServerStatus.WAITING: EventType.APP_SERVER_WAITING,
    AppServerStatus.CONFIGURING: EventType.APP_SERVER_CONFIGURING,
    AppServerStatus.RUNNING: EventType.APP_SERVER_RUNNING,
    AppServerStatus.FAILED: EventType.APP_SERVER_FAILED,
    AppServerStatus.ERROR: EventType.APP_SERVER_ERROR,
    AppServerStatus.TERMINATED: EventType.APP_SERVER_TERMINATED,
}


class Blocked(Exception):
    """The job cannot run yet; `blocked_by` says who is in the way."""

    def __init__(self, blocked_by: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("blocked")
        self.blocked_by = list(blocked_by)


@dataclass(frozen=True)
class Claim:
    """A job taken: its fencing tokens, and the facts of steps that earlier attempts finished."""

    job: Job
    work: Work
    tokens: Mapping[str, int]
    done: Mapping[int, Mapping[str, Any]]


async def keep_plan(db: Database, job_id: UUID, plan: list[dict[str, Any]]) -> None:
    """Keep the plan for people, before anything runs."""
    async with db.transaction() as session:
        await store.jobs.keep_plan(session, job_id, plan)


async def block(
    db: Database, job: Job, *, attempt: int, blocked_by: Sequence[Mapping[str, Any]]
) -> None:
    """Note who is in the way; an event is written when that changed."""
    async with db.transaction() as session:
        await store.jobs.block(
            session, job.id, attempt=attempt, blocked_by=blocked_by, wait=WaitPolicy().lock_wait
        )
        if list(blocked_by) != job.blocked_by:
            data = {"blocked_by": list(blocked_by)}
            await store.events.append(session, job.id, (EventType.JOB_BLOCKED, data))


async def claim(
    db: Database, work: Work, *, attempt: int, worker: str, lock_names: Sequence[str]
) -> Claim:
    """Take the job in one transaction: attempt, lease, capacity, fencing tokens, event.

    Raises LostOwnership when it is not to be had, Blocked when the order of requests or the
    host's capacity stands in the way; nothing is written then.
    """
    async with db.transaction() as session:
        # Everywhere in this order: instance, host, job, locks. Another one deadlocks.
        await lock_instance(session, work)
        await _check_turn(session, work)
        job = await store.jobs.claim(
            session, work.job.id, attempt=attempt, worker=worker, lease=LeasePolicy().lease
        )
        work = await freeze(session, job, work)
        try:
            tokens = await store.locks.take(session, lock_names, job_id=job.id, attempt=attempt)
        except store.locks.Held as held:
            raise Blocked([held.holder]) from held
        started = {"attempt": attempt, "worker": worker, "tokens": tokens}
        await store.events.append(
            session, job.id, (EventType.JOB_STARTED, started), attempt=attempt
        )
        steps = await store.steps.list_of_job(session, job.id)
    done = {step.number: step.facts for step in steps if step.status is StepStatus.SUCCEEDED}
    return Claim(job, work, tokens, done)


async def renew(db: Database, job: Job) -> None:
    """Say that this attempt lives; raises LostOwnership."""
    async with db.transaction() as session:
        await store.jobs.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)


async def reveal_secrets(db: Database, vault: Vault, work: Work) -> dict[str, str]:
    """The instance's secrets in plain text, for this attempt only."""
    if work.instance is None:
        return {}
    async with db.transaction() as session:
        return await secrets.reveal(session, vault, work.instance)


async def record(db: Database, job: Job, *events: store.events.NewEvent) -> None:
    """Append events as this attempt; raises LostOwnership."""
    async with db.transaction() as session:
        await store.events.append(session, job.id, *events, attempt=job.attempt)


async def start_step(db: Database, job: Job, *, number: int, name: str, title: str) -> None:
    """The intent to do a step, before it touches anything; raises LostOwnership."""
    async with db.transaction() as session:
        await store.steps.start(
            session, job.id, attempt=job.attempt, number=number, name=name, title=title
        )
        data = {"number": number, "step": name, "title": title}
        await store.events.append(
            session, job.id, (EventType.STEP_STARTED, data), attempt=job.attempt
        )


async def finish_step(
    db: Database,
    job: Job,
    *,
    number: int,
    status: StepStatus,
    exit_code: int | None,
    duration_ms: int,
    facts: Mapping[str, Any],
    event: store.events.NewEvent,
) -> None:
    """The result of a step with its event, in one commit; raises LostOwnership."""
    async with db.transaction() as session:
        await store.steps.finish(
            session,
            job.id,
            attempt=job.attempt,
            number=number,
            status=status,
            exit_code=exit_code,
            duration_ms=duration_ms,
            facts=facts,
        )
        await store.events.append(session, job.id, event, attempt=job.attempt)


async def move_app_server(db: Database, job: Job, wanted: AppServerStatus) -> None:
    """Change the state of the job's app server; a move that is already done is no move."""
    async with db.transaction() as session:
        app_server = await store.app_servers.find_of_job(session, job.id)
        if app_server is None or app_server.status is wanted:
            return
        await _move(session, job, app_server, wanted, attempt=job.attempt)


async def set_commit(db: Database, job: Job, commit: str) -> None:
    """Keep which exact commit or version the revision meant; raises LostOwnership."""
    async with db.transaction() as session:
        await store.jobs.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        app_server = await store.app_servers.find_of_job(session, job.id)
        if app_server is not None:
            await store.app_servers.set_commit(session, app_server, commit)


async def mark_prepared(db: Database, job: Job, *, participant: str | None = None) -> None:
    """Keep that `prepare`, or a participant's creation, is done for good; raises LostOwnership."""
    async with db.transaction() as session:
        await store.jobs.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        if job.instance_id is None:
            return
        instance = await store.instances.lock(session, job.instance_id)
        if participant is None:
            await store.instances.mark_prepared(session, instance, host_id=job.host_id)
        else:
            await store.instances.mark_participant_created(session, instance, participant)


async def keep_host_key(db: Database, job: Job, *, host_key: str, fingerprint: str) -> None:
    """Keep the key that the host showed, for somebody to confirm; raises LostOwnership."""
    async with db.transaction() as session:
        if job.host_id is None:
            return
        host = await store.hosts.lock(session, job.host_id)
        host.pending_host_key, host.pending_fingerprint = host_key, fingerprint
        await store.hosts.touch(session, host)
        data = {"host": host.name, "fingerprint": fingerprint}
        await store.events.append(
            session, job.id, (EventType.HOST_KEY_READ, data), attempt=job.attempt
        )


async def hand_over(db: Database, job: Job) -> None:
    """Give the job back because this worker stops; the next one takes it up at once."""
    async with db.transaction() as session:
        data = {"worker": job.worker, "attempt": job.attempt}
        await store.events.append(
            session, job.id, (EventType.JOB_HANDED_OVER, data), attempt=job.attempt
        )
        await store.jobs.requeue(session, await store.jobs.get(session, job.id))


async def settle(
    db: Database,
    job: Job,
    *,
    status: JobStatus,
    error: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
    service_state: ServiceState | None = None,
) -> list[tuple[UUID, int]]:
    """Write the end: final state, app server, last event, in one commit.

    Returns the waiting jobs that may run now. Raises LostOwnership.
    """
    async with db.transaction() as session:
        # The fence first: it locks the row, and what follows stands or falls with it.
        await store.jobs.settle(
            session,
            job.id,
            attempt=job.attempt,
            status=status,
            error=error,
            outcome=outcome,
            service_state=service_state,
        )
        await end(session, job, status, error)
        await _note_reachability(session, job, error)
        return await store.jobs.list_rivals(session, job, limit=_WAKE)


async def end(
    session: AsyncSession, job: Job, status: JobStatus, error: Mapping[str, Any] | None
) -> None:
    """The consequences every end has: no app server stays unsteady, and the last event."""
    app_server = await store.app_servers.find_of_job(session, job.id)
    if app_server is not None and status is not JobStatus.SUCCEEDED:
        final = failure_of(app_server.status)
        if final is not None:
            await _move(session, job, app_server, final, error=error)
    if status is JobStatus.SUCCEEDED:
        await store.events.append(session, job.id, (EventType.JOB_SUCCEEDED, {}))
    else:
        await store.events.append(session, job.id, (EventType.JOB_FAILED, {"error": error}))


async def _move(
    session: AsyncSession,
    job: Job,
    app_server: AppServer,
    wanted: AppServerStatus,
    *,
    attempt: int | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
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
    host = await store.hosts.lock(session, job.host_id)
    if host.status in {HostStatus.READY, HostStatus.UNREACHABLE} and host.status is not found:
        host.status = found
        await store.hosts.touch(session, host)


async def _check_turn(session: AsyncSession, work: Work) -> None:
    if not takes_capacity(work.job.kind) or work.job.dry_run:
        return
    older = await store.jobs.find_older(session, work.job)
    if older is not None:
        raise Blocked([{"kind": "order", "job": str(older)}])
    host = await store.hosts.lock(session, work.host.id)
    if await store.hosts.free_capacity(session, host) <= 0:
        raise Blocked([{"kind": "capacity", "host": host.name, "capacity": host.capacity}])
