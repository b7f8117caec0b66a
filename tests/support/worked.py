"""What a worker does to a job's rows, without a worker."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import JobStatus, lock_names
from app.domain.scope import Scope
from app.models.base import utc_now
from app.store.database import Database

PLAN = [
    {"number": 1, "name": "look", "title": "Look", "when": "always", "action": "note"},
    {"number": 2, "name": "leap", "title": "Leap", "when": "always", "action": "note"},
    {"number": 3, "name": "log", "title": "Log", "when": "on_failure", "action": "note"},
]


async def claim(db, job_id):
    async with db.transaction() as session:
        claimed = await store.attempts.claim(
            session, UUID(job_id), attempt=1, worker="tests", lease=timedelta(minutes=1)
        )
        return claimed.job


async def begin(db, job_id):
    """Claimed, planned, and in its first step."""
    job = await claim(db, job_id)
    async with db.transaction() as session:
        await store.jobs.keep_plan(session, job.id, PLAN, attempt=1)
        await store.steps.start(session, job.id, attempt=1, number=1, name="look", title="Look")


async def hold(db, job_id):
    """Claimed with the locks of its kind, and in its first step."""
    async with db.transaction() as session:
        job = await store.jobs.get(session, UUID(job_id))
        names = lock_names(job.kind, instance_id=job.instance_id, host_id=job.host_id)
        lease = timedelta(minutes=1)
        await store.attempts.claim(
            session, job.id, attempt=1, worker="tests", lease=lease, lock_names=names
        )
        await store.steps.start(session, job.id, attempt=1, number=1, name="look", title="Look")


async def held(db, job_id):
    """Refused by the lock of its instance, as a worker finds it."""
    async with db.transaction() as session:
        job = await store.jobs.get(session, UUID(job_id))
        names = lock_names(job.kind, instance_id=job.instance_id, host_id=job.host_id)
        turn = await store.turns.look(
            session, job, lock_names=names, manual_locks=[], counted=False
        )
    await services.claiming.block(db, job, attempt=1, blocked_by=[turn.holder])


async def finish(db, job_id):
    job = await claim(db, job_id)
    async with db.transaction() as session:
        await store.attempts.settle(session, job.id, attempt=1, status=JobStatus.SUCCEEDED)


async def tell(db, job_id, *texts):
    """One event of output for each text, in one transaction."""
    told = [(EventType.STEP_OUTPUT, {"number": 1, "step": "look", "text": text}) for text in texts]
    async with db.transaction() as session:
        await store.events.append(session, UUID(str(job_id)), *told)


async def end(db, job_id, *, status=JobStatus.SUCCEEDED):
    """Settled with its last event, as a worker does it, from any state."""
    async with db.transaction() as session:
        job = await store.jobs.get(session, UUID(str(job_id)))
        job.status, job.finished_at = status, utc_now()
        session.add(job)
        await session.flush()
        await store.events.append(session, job.id, (EventType(f"job.{status}"), {}))


async def hand_over(db, job_id):
    """Given back by a worker that stops."""
    async with db.transaction() as session:
        job = await store.jobs.get(session, job_id)
    await services.claiming.hand_over(db, job)


async def suspend(db, job_id, *, kind="time", step="wait"):
    """Begun, and now waiting without a worker."""
    job = await claim(db, str(job_id))
    until = datetime.now(UTC) + timedelta(hours=1)
    suspended = {
        "kind": kind,
        "step": step,
        "since": datetime.now(UTC).isoformat(),
        "until": until.isoformat(),
        "reason": "it takes its time",
    }
    await services.claiming.suspend(db, job, until=until, suspended=suspended)


async def end_app_server(db, job_id):
    """Its app server could not be made; the row stays as history."""
    async with db.transaction() as session:
        app_server = (await store.app_servers.of_jobs(session, {UUID(job_id)}))[UUID(job_id)]
        app_server.status = AppServerStatus.ERROR
        session.add(app_server)


async def show_host_key(db, job_id, *, host_key, fingerprint):
    """What the job that reads a host's key keeps."""
    job = await claim(db, job_id)
    await services.execution.keep_host_key(db, job, host_key=host_key, fingerprint=fingerprint)


def new_token(url):
    """The text of an administrator's token in that database."""

    async def make():
        db = Database(url, pool_size=1)
        try:
            return (await services.tokens.create(db, name="tests", scope=Scope.ADMIN))[1]
        finally:
            await db.close()

    return asyncio.run(make())
