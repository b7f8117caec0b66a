"""What a worker does to a job's rows, without a worker."""

import asyncio
from datetime import timedelta
from uuid import UUID

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.job import JobStatus
from app.domain.scope import Scope
from app.store.database import Database

PLAN = [
    {"number": 1, "name": "look", "title": "Look", "when": "always", "action": "note"},
    {"number": 2, "name": "leap", "title": "Leap", "when": "always", "action": "note"},
    {"number": 3, "name": "log", "title": "Log", "when": "on_failure", "action": "note"},
]


async def claim(db, job_id):
    async with db.transaction() as session:
        return await store.attempts.claim(
            session, UUID(job_id), attempt=1, worker="tests", lease=timedelta(minutes=1)
        )


async def begin(db, job_id):
    """Claimed, planned, and in its first step."""
    job = await claim(db, job_id)
    async with db.transaction() as session:
        await store.jobs.keep_plan(session, job.id, PLAN)
        await store.steps.start(session, job.id, attempt=1, number=1, name="look", title="Look")


async def finish(db, job_id):
    job = await claim(db, job_id)
    async with db.transaction() as session:
        await store.attempts.settle(session, job.id, attempt=1, status=JobStatus.SUCCEEDED)


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
