"""The dispatcher and the reconciler: whatever a crash left behind is healed from here."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.job import JobStatus, Outcome, ServiceState, WaitPolicy
from app.domain.problem import CODES, docs_url
from app.gateways.queue import JobQueue
from app.models import Job
from app.services.execution import end
from app.store.database import Database

_BATCH = 100


async def dispatch(db: Database, queue: JobQueue, *, policy: WaitPolicy) -> int:
    """Push waiting jobs that nobody claimed after their last push; how many."""
    async with db.transaction() as session:
        due = await store.jobs.take_unclaimed(session, age=policy.push_again_after, limit=_BATCH)
    for job_id, attempt in due:
        await queue.push(job_id, attempt)
    return len(due)


async def recover(db: Database, *, policy: WaitPolicy) -> list[UUID]:
    """Take back jobs whose worker went silent, and end those that waited too long.

    Returns the jobs it touched.
    """
    async with db.transaction() as session:
        orphans = await store.jobs.lock_orphans(session, limit=_BATCH)
        for job in orphans:
            await _take_back(session, job, policy)
        overdue = await store.jobs.lock_overdue(session, limit=_BATCH)
        for job in overdue:
            await _give_up_waiting(session, job)
        return [job.id for job in (*orphans, *overdue)]


async def _take_back(session: AsyncSession, job: Job, policy: WaitPolicy) -> None:
    job.lost_workers += 1
    if job.lost_workers >= policy.most_lost_workers:
        detail = (
            f"Worker {job.worker} went silent; {job.lost_workers} attempts ended that way."
            " Look at the workers' log and their memory. Nothing was undone: what the job started"
            " may still run on its host."
        )
        await _fail(session, job, "worker-lost", detail, from_status=JobStatus.RUNNING)
        return
    data = {"worker": job.worker, "attempt": job.attempt}
    await store.events.append(session, job.id, (EventType.JOB_RECOVERED, data))
    await store.jobs.requeue(session, job)


async def _give_up_waiting(session: AsyncSession, job: Job) -> None:
    detail = f"It waited until {job.lock_deadline:%H:%M:%S} UTC for: {job.blocked_by}."
    await _fail(session, job, "lock-wait-timeout", detail, from_status=JobStatus.BLOCKED)


async def _fail(
    session: AsyncSession, job: Job, code: str, detail: str, *, from_status: JobStatus
) -> None:
    error = {
        "code": code,
        "title": CODES[code].title,
        "detail": detail,
        "hint": "Look at its events, then ask again: liftlock jobs logs " + str(job.id),
        "step": None,
        "docs": docs_url(code),
    }
    await store.jobs.settle(
        session,
        job.id,
        attempt=job.attempt,
        status=JobStatus.FAILED,
        from_status=from_status,
        error=error,
        outcome=Outcome.ROLLBACK_FAILED if from_status is JobStatus.RUNNING else Outcome.UNCHANGED,
        service_state=ServiceState.UNKNOWN if job.instance_id else None,
    )
    await end(session, job, JobStatus.FAILED, error)
