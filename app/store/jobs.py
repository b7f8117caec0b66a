"""Statements about jobs: the outbox, the lease and the guarded ends."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.job import JobKind, JobStatus, Outcome, ServiceState
from app.errors import LostOwnership, NotFound
from app.models import Job
from app.models.base import utc_now
from app.store import rows

# `attempt` is the guard: a wake-up that comes twice, or late, finds another number and stops.
_CLAIM = text("""
    UPDATE jobs SET status = 'running', attempt = attempt + 1, worker = :worker,
           lease_until = clock_timestamp() + :lease, blocked_by = '[]', lock_deadline = NULL,
           started_at = coalesce(started_at, clock_timestamp())
    WHERE id = :job_id AND attempt = :attempt - 1 AND status IN ('queued', 'blocked')
    RETURNING id
""")

_BLOCK = text("""
    UPDATE jobs SET status = 'blocked', blocked_by = CAST(:blocked_by AS jsonb),
           lock_deadline = coalesce(lock_deadline, clock_timestamp() + :wait),
           dispatched_at = clock_timestamp()
    WHERE id = :job_id AND attempt = :attempt - 1 AND status IN ('queued', 'blocked')
    RETURNING id
""")

_RENEW = text("""
    UPDATE jobs SET lease_until = clock_timestamp() + :lease
    WHERE id = :job_id AND attempt = :attempt AND status = 'running'
    RETURNING id
""")

_SETTLE = text("""
    UPDATE jobs SET status = :status, error = CAST(:error AS jsonb), outcome = :outcome,
           service_state = :service_state, finished_at = clock_timestamp(),
           lease_until = NULL, worker = NULL, blocked_by = '[]'
    WHERE id = :job_id AND attempt = :attempt AND status = :from_status
    RETURNING id
""")

# A row that nobody claimed a while after its last push is pushed again: after a crash between
# commit and push, after Redis lost everything, and to retry blocked jobs.
_UNCLAIMED = text("""
    UPDATE jobs SET dispatched_at = clock_timestamp()
    WHERE id IN (
        SELECT id FROM jobs
        WHERE status IN ('queued', 'blocked')
          AND coalesce(not_before, '-infinity') <= clock_timestamp()
          AND coalesce(dispatched_at, '-infinity') < clock_timestamp() - CAST(:age AS interval)
        ORDER BY priority, sequence LIMIT :limit
        FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING id, attempt, priority, sequence
""")

_ORPHANS = text("""
    SELECT id FROM jobs WHERE status = 'running' AND lease_until < clock_timestamp()
    ORDER BY sequence LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")

_OVERDUE = text("""
    SELECT id FROM jobs WHERE status = 'blocked' AND lock_deadline < clock_timestamp()
    ORDER BY sequence LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")

_RIVALS = text("""
    SELECT id, attempt, dispatched_at FROM jobs
    WHERE status IN ('queued', 'blocked') AND id <> :job_id
      AND (instance_id = :instance_id OR host_id = :host_id)
    ORDER BY priority, sequence LIMIT :limit
""")

_OLDER = text("""
    SELECT id FROM jobs
    WHERE status IN ('queued', 'blocked') AND id <> :job_id AND NOT dry_run
      AND coalesce(not_before, '-infinity') <= clock_timestamp()
      AND instance_id = :instance_id AND (priority, sequence) < (:priority, :sequence)
    ORDER BY priority, sequence LIMIT 1
""")


async def add(session: AsyncSession, job: Job) -> Job:
    session.add(job)
    await session.flush()
    return job


async def get(session: AsyncSession, job_id: UUID) -> Job:
    job = await session.get(Job, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.", hint="List them with: liftlock jobs list")
    return job


async def list_page(
    session: AsyncSession,
    *,
    after: UUID | None,
    limit: int,
    status: JobStatus | None = None,
    kind: JobKind | None = None,
    instance_id: UUID | None = None,
) -> list[Job]:
    """Newest first."""
    query = select(Job)
    if status is not None:
        query = query.where(col(Job.status) == status)
    if kind is not None:
        query = query.where(col(Job.kind) == kind)
    if instance_id is not None:
        query = query.where(Job.instance_id == instance_id)
    return await rows.page(session, query, Job, after=after, limit=limit, newest_first=True)


async def claim(
    session: AsyncSession, job_id: UUID, *, attempt: int, worker: str, lease: timedelta
) -> Job:
    """Take the job as that attempt; raises LostOwnership when it is not to be had."""
    values = {"job_id": job_id, "attempt": attempt, "worker": worker, "lease": lease}
    await _guarded(session, _CLAIM, values)
    job = await get(session, job_id)
    await session.refresh(job)
    return job


async def block(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    blocked_by: Sequence[Mapping[str, Any]],
    wait: timedelta,
) -> None:
    """Note who is in the way; the job stays unclaimed. Raises LostOwnership."""
    values = {
        "job_id": job_id,
        "attempt": attempt,
        "blocked_by": json.dumps([dict(item) for item in blocked_by]),
        "wait": wait,
    }
    await _guarded(session, _BLOCK, values)


async def renew(session: AsyncSession, job_id: UUID, *, attempt: int, lease: timedelta) -> None:
    """Say that the worker lives; raises LostOwnership when somebody else has the job."""
    await _guarded(session, _RENEW, {"job_id": job_id, "attempt": attempt, "lease": lease})


async def settle(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    status: JobStatus,
    from_status: JobStatus = JobStatus.RUNNING,
    error: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
    service_state: ServiceState | None = None,
) -> None:
    """Write the final state; raises LostOwnership when another attempt owns the job."""
    values = {
        "job_id": job_id,
        "attempt": attempt,
        "status": str(status),
        "from_status": str(from_status),
        "error": json.dumps(dict(error)) if error is not None else None,
        "outcome": outcome,
        "service_state": service_state,
    }
    await _guarded(session, _SETTLE, values)


async def requeue(session: AsyncSession, job: Job) -> None:
    """Give a job without a living worker back to the queue. Call with its row locked."""
    job.status = JobStatus.QUEUED
    job.worker = job.lease_until = job.dispatched_at = None
    session.add(job)
    await session.flush()


async def keep_plan(session: AsyncSession, job_id: UUID, plan: list[dict[str, Any]]) -> None:
    connection = await session.connection()
    await connection.execute(update(Job).where(col(Job.id) == job_id).values(plan=plan))


async def keep_facts(session: AsyncSession, job: Job, facts: dict[str, Any]) -> None:
    """Freeze what the plan is made from. Call with the row locked by the claim."""
    job.facts = facts
    session.add(job)
    await session.flush()


async def mark_dispatched(session: AsyncSession, job_id: UUID) -> None:
    connection = await session.connection()
    await connection.execute(
        update(Job).where(col(Job.id) == job_id).values(dispatched_at=utc_now())
    )


async def take_unclaimed(
    session: AsyncSession, *, age: timedelta, limit: int
) -> list[tuple[UUID, int]]:
    """Id and next attempt of waiting jobs whose last push is older than `age`, in order."""
    connection = await session.connection()
    found = (await connection.execute(_UNCLAIMED, {"age": age, "limit": limit})).all()
    ordered = sorted(found, key=lambda row: (row.priority, row.sequence))
    return [(row.id, row.attempt + 1) for row in ordered]


async def lock_orphans(session: AsyncSession, *, limit: int) -> list[Job]:
    """Running jobs whose worker has not renewed its lease, locked."""
    return await _locked(session, _ORPHANS, limit)


async def lock_overdue(session: AsyncSession, *, limit: int) -> list[Job]:
    """Blocked jobs that have waited long enough, locked."""
    return await _locked(session, _OVERDUE, limit)


async def list_rivals(session: AsyncSession, job: Job, *, limit: int) -> list[tuple[UUID, int]]:
    """Waiting jobs that may be able to run once `job` is done, with their next attempt."""
    values = {
        "job_id": job.id,
        "instance_id": job.instance_id,
        "host_id": job.host_id,
        "limit": limit,
    }
    connection = await session.connection()
    found = (await connection.execute(_RIVALS, values)).all()
    return [(row.id, row.attempt + 1) for row in found]


async def find_older(session: AsyncSession, job: Job) -> UUID | None:
    """A job of the same instance that was asked for earlier and still waits."""
    if job.instance_id is None:
        return None
    values = {
        "job_id": job.id,
        "instance_id": job.instance_id,
        "priority": job.priority,
        "sequence": job.sequence,
    }
    connection = await session.connection()
    older: UUID | None = await connection.scalar(_OLDER, values)
    return older


async def _locked(session: AsyncSession, statement: Any, limit: int) -> list[Job]:
    connection = await session.connection()
    ids = (await connection.execute(statement, {"limit": limit})).scalars().all()
    found = await session.exec(
        select(Job).where(col(Job.id).in_(ids)).execution_options(populate_existing=True)
    )
    return list(found.all())


async def _guarded(session: AsyncSession, statement: Any, values: Mapping[str, Any]) -> None:
    connection = await session.connection()
    if (await connection.execute(statement, dict(values))).first() is None:
        raise LostOwnership
