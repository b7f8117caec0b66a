"""What an attempt writes while it works: plan, events, steps, what became true. All fenced."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import LeasePolicy, StepStatus
from app.models import Job
from app.services.moving import move
from app.store.database import Database


async def keep_plan(
    db: Database, job_id: UUID, plan: list[dict[str, Any]], *, attempt: int
) -> None:
    """Keep the plan for people, before anything runs or can run; raises LostOwnership."""
    async with db.statement() as session:
        await store.jobs.keep_plan(session, job_id, plan, attempt=attempt)


async def record(db: Database, job: Job, *events: store.events.NewEvent) -> None:
    """Append events as this attempt; raises LostOwnership."""
    async with db.statement() as session:
        await store.events.append(session, job.id, *events, attempt=job.attempt)


async def is_told(db: Database, job: Job, event: store.events.NewEvent) -> bool:
    """Whether this is the newest event of the job: a write whose answer was lost was made."""
    async with db.statement() as session:
        return await store.events.is_newest(session, job.id, event)


def step_started(
    *, number: int, name: str, title: str, anew: bool = False
) -> store.events.NewEvent:
    """`anew`: it had ended, or its end was unknown, and is begun once more."""
    data = {"number": number, "step": name, "title": title, "anew": anew}
    return EventType.STEP_STARTED, data


async def start_step(
    db: Database, job: Job, *, number: int, name: str, title: str, anew: bool = False
) -> None:
    """The intent to do a step, before it touches anything; raises LostOwnership."""
    async with db.statement() as session:
        await store.steps.start(
            session,
            job.id,
            attempt=job.attempt,
            number=number,
            name=name,
            title=title,
            event=step_started(number=number, name=name, title=title, anew=anew),
        )


def step_skipped(
    *, number: int, name: str, title: str, because: Sequence[str]
) -> store.events.NewEvent:
    """`because` names facts, each of which is `yes`."""
    data = {"number": number, "step": name, "title": title, "because": list(because)}
    return EventType.STEP_SKIPPED, data


async def skip_step(db: Database, job: Job, skipped: store.events.NewEvent) -> None:
    """Keep a step that is not needed, as `step_skipped` tells of it; raises LostOwnership."""
    _, data = skipped
    async with db.statement() as session:
        await store.steps.skip(
            session,
            job.id,
            attempt=job.attempt,
            number=data["number"],
            name=data["step"],
            title=data["title"],
            event=skipped,
        )


async def retry_step(
    db: Database, job: Job, *, number: int, tries: int, event: store.events.NewEvent
) -> None:
    """The intent to do a step once more, as its try number `tries`; raises LostOwnership."""
    async with db.statement() as session:
        await store.steps.retry(
            session, job.id, attempt=job.attempt, number=number, tries=tries, event=event
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
    async with db.statement() as session:
        await store.steps.finish(
            session,
            job.id,
            attempt=job.attempt,
            number=number,
            status=status,
            exit_code=exit_code,
            duration_ms=duration_ms,
            facts=facts,
            event=event,
        )


async def move_app_server(db: Database, job: Job, wanted: AppServerStatus) -> None:
    """Change the state of the job's app server; a move that is already done is no move.

    Raises LostOwnership.
    """
    async with db.transaction() as session:
        # The job before its app server, as its end locks them; and whoever lost it is told so,
        # not that its successor has moved the app server on.
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        app_server = await store.app_servers.find_of_job(session, job.id)
        if app_server is None or app_server.status is wanted:
            return
        await move(session, job, app_server, wanted, attempt=job.attempt)


async def set_commit(db: Database, job: Job, commit: str) -> None:
    """Keep which exact commit or version the revision meant; raises LostOwnership."""
    async with db.transaction() as session:
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        app_server = await store.app_servers.find_of_job(session, job.id)
        if app_server is not None:
            await store.app_servers.set_commit(session, app_server, commit)


async def mark_prepared(db: Database, job: Job, *, participant: str | None = None) -> None:
    """Keep that `prepare`, or a participant's creation, is done for good; raises LostOwnership."""
    if job.instance_id is None:
        return
    async with db.transaction() as session:
        # The instance before the job, as a claim locks them.
        instance = await store.instances.lock(session, job.instance_id)
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
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
