"""The dispatcher and the reconciler: whatever a crash left behind is healed from here."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import blocking
from app.domain.event import EventType
from app.domain.job import Ending, EndingWhy, JobStatus, Outcome, WaitPolicy
from app.domain.problem import error_of
from app.gateways.queue import JobQueue
from app.models import Job
from app.services import following
from app.services.ending import end_abandoned, end_waiting
from app.store.database import Database, announce

_BATCH = 100


async def dispatch(db: Database, queue: JobQueue, *, policy: WaitPolicy) -> int:
    """Push waiting jobs that nobody claimed after their last push; how many.

    0 while Redis is away: it may be so for this worker alone, and what it marks as pushed no
    other worker would push.
    """
    if not await queue.ping():
        return 0
    async with db.transaction() as session:
        due = await store.outbox.take_unclaimed(session, age=policy.push_again_after, limit=_BATCH)
    for job_id, attempt in due:
        await queue.push(job_id, attempt)
    return len(due)


async def recover(db: Database, *, policy: WaitPolicy) -> list[UUID]:
    """Take back jobs whose worker went silent, and stop those that took or waited too long.

    Returns the jobs it touched.
    """
    lost = []
    async with db.transaction() as session:
        orphans = await store.outbox.lock_orphans(session, limit=_BATCH)
        for job in orphans:
            if job.lost_workers + 1 >= 2 * policy.most_lost_workers:
                lost.append(job)
            else:
                await _take_back(session, job, policy)
        overdue = await store.outbox.lock_overdue(session, limit=_BATCH)
        for job in overdue:
            await _give_up_waiting(session, job)
        late = await store.outbox.lock_late(session, limit=_BATCH)
        for job in late:
            await _stop_late(session, job)
    for job in lost:
        await _give_up(db, job)
    return [job.id for job in (*orphans, *overdue, *late)]


async def _take_back(session: AsyncSession, job: Job, policy: WaitPolicy) -> None:
    """Back to the queue. One that loses its workers is only undone; and if that loses them too,
    it is given up.
    """
    lost = await _requeue(session, job)
    if job.lost_workers >= policy.most_lost_workers and job.ending is None:
        await store.jobs.order_end(session, job, _order(EndingWhy.WORKER_LOST, reason=lost))


async def _requeue(session: AsyncSession, job: Job) -> str:
    """Nobody has it now; what happened, in words."""
    job.lost_workers += 1
    data = {"worker": job.worker, "attempt": job.attempt}
    await store.events.append(session, job.id, (EventType.JOB_RECOVERED, data))
    lost = f"Worker {job.worker} went silent; {job.lost_workers} attempts ended that way."
    await store.attempts.requeue(session, job)
    return lost


async def _give_up(db: Database, seen: Job) -> None:
    """In a transaction of its own: another attempt may follow, for which more is locked first."""
    async with db.transaction() as session:
        grows = following.may_change_more(seen, JobStatus.FAILED)
        ground = await following.lock(session, seen, JobStatus.FAILED) if grows else None
        # None, when somebody else has taken it up meanwhile.
        for job in await store.outbox.lock_orphans(session, limit=1, job_id=seen.id):
            detail = (
                f"{await _requeue(session, job)} Look at the workers' log and their memory. It"
                " could not be undone either: what the job started may still run on its host."
            )
            error = _error(job, "worker-lost", detail)
            await end_abandoned(session, job, error=error, ground=ground)


async def _give_up_waiting(session: AsyncSession, job: Job) -> None:
    who = blocking.words(job.blocked_by)
    detail = f"It waited until {job.lock_deadline:%H:%M:%S} UTC for {who}."
    if job.started_at is not None and job.ending is None:
        order = _order(EndingWhy.LOCK_WAIT, reason=detail)
        await store.jobs.order_end(session, job, order)
        return
    error = _error(job, "lock-wait-timeout", detail)
    outcome = Outcome.ROLLBACK_FAILED if job.ending else Outcome.UNCHANGED
    await end_waiting(session, job, JobStatus.FAILED, error=error, outcome=outcome)


async def _stop_late(session: AsyncSession, job: Job) -> None:
    reason = f"It had to end by {job.deadline:%Y-%m-%d %H:%M:%S} UTC."
    if job.started_at is None:
        error = _error(job, "deadline-exceeded", f"{reason} It had not begun.")
        await end_waiting(session, job, JobStatus.FAILED, error=error)
        return
    await store.jobs.order_end(session, job, _order(EndingWhy.DEADLINE, reason=reason))
    announce(session, f"ending:{job.id}")


def _order(why: EndingWhy, *, reason: str) -> Ending:
    return Ending(why, at=datetime.now(UTC).isoformat(), reason=reason)


def _error(job: Job, code: str, detail: str) -> dict[str, Any]:
    hint = f"Look at its events, then ask again: liftlock jobs logs {job.id}"
    return error_of(code, detail, hint=hint)
