"""Waking a worker for a job once what changed in it is committed."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.gateways.queue import JobQueue
from app.models import Job
from app.store.database import after_commit


def push(session: AsyncSession, queue: JobQueue, job: Job, *, again: bool = False) -> None:
    """Push the job's next attempt after the commit.

    Its row says already that this was done: the dispatcher repeats it in a few seconds if nobody
    claims the job, whatever failed. `again` is for a job that was pushed before.
    """
    job_id, attempt = job.id, job.attempt + 1
    after_commit(session, lambda: queue.push(job_id, attempt, again=again))


async def wake(session: AsyncSession, queue: JobQueue, job: Job) -> None:
    """Push a job again that waits for what has just changed."""
    await store.outbox.mark_dispatched(session, job.id)
    push(session, queue, job, again=True)


async def wake_rivals(session: AsyncSession, queue: JobQueue, job: Job) -> None:
    """Let those look again that may have waited for this job to end."""
    rivals = await store.outbox.list_rivals(session, job)

    async def push() -> None:
        for job_id, attempt in rivals:
            await queue.push(job_id, attempt, again=True)

    after_commit(session, push)
