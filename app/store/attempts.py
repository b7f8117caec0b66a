"""Statements of one attempt at a job: claim, renew, suspend, settle. Each is its own guard."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.job import Ending, JobStatus, Outcome, ServiceState
from app.errors import LostOwnership
from app.models import Job
from app.store import jobs

# `attempt` is the guard: a wake-up that comes twice, or late, finds another number and stops.
# What runs until its end says `canceling` keeps saying so.
_CLAIM = text("""
    UPDATE jobs SET attempt = attempt + 1, worker = :worker,
           status = CASE status WHEN 'canceling' THEN 'canceling' ELSE 'running' END,
           lease_until = clock_timestamp() + :lease, blocked_by = '[]', lock_deadline = NULL,
           started_at = coalesce(started_at, clock_timestamp())
    WHERE id = :job_id AND attempt = :attempt - 1 AND lease_until IS NULL
      AND status IN ('queued', 'blocked', 'canceling')
    RETURNING id
""")

_BLOCK = text("""
    UPDATE jobs SET status = 'blocked', blocked_by = CAST(:blocked_by AS jsonb),
           lock_deadline = coalesce(lock_deadline, clock_timestamp() + :wait),
           dispatched_at = clock_timestamp()
    WHERE id = :job_id AND attempt = :attempt - 1 AND status IN ('queued', 'blocked')
    RETURNING id
""")

_SUSPEND = text("""
    UPDATE jobs SET status = 'blocked', suspended = CAST(:suspended AS jsonb),
           blocked_by = CAST(:blocked_by AS jsonb), not_before = :until,
           lease_until = NULL, worker = NULL, dispatched_at = NULL, lock_deadline = NULL
    WHERE id = :job_id AND attempt = :attempt AND lease_until IS NOT NULL AND ending IS NULL
    RETURNING id
""")

# The lease tells the attempt that holds the job; without one, nobody may write as a worker.
_RENEW = text("""
    UPDATE jobs SET lease_until = clock_timestamp() + :lease
    WHERE id = :job_id AND attempt = :attempt AND lease_until IS NOT NULL
    RETURNING ending
""")

_SETTLE = text("""
    UPDATE jobs SET status = :status, error = CAST(:error AS jsonb), outcome = :outcome,
           service_state = :service_state, finished_at = clock_timestamp(),
           lease_until = NULL, worker = NULL, blocked_by = '[]', suspended = NULL
    WHERE id = :job_id AND attempt = :attempt AND (lease_until IS NOT NULL) = :held
      AND status IN ('queued', 'blocked', 'running', 'canceling')
    RETURNING id
""")


async def claim(
    session: AsyncSession, job_id: UUID, *, attempt: int, worker: str, lease: timedelta
) -> Job:
    """Take the job as that attempt; raises LostOwnership when it is not to be had."""
    values = {"job_id": job_id, "attempt": attempt, "worker": worker, "lease": lease}
    await _guarded(session, _CLAIM, values)
    job = await jobs.get(session, job_id)
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


async def suspend(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    until: datetime | None,
    suspended: Mapping[str, Any],
) -> None:
    """Give the job back until a time; raises LostOwnership, also when it was told to end."""
    values = {
        "job_id": job_id,
        "attempt": attempt,
        "until": until,
        "suspended": json.dumps(dict(suspended)),
        "blocked_by": json.dumps([{**suspended, "kind": f"wait-{suspended['kind']}"}]),
    }
    await _guarded(session, _SUSPEND, values)


async def renew(
    session: AsyncSession, job_id: UUID, *, attempt: int, lease: timedelta
) -> Ending | None:
    """Say that the worker lives; the order to stop, if there is one.

    Raises LostOwnership when somebody else has the job.
    """
    values = {"job_id": job_id, "attempt": attempt, "lease": lease}
    found = (await (await session.connection()).execute(_RENEW, values)).first()
    if found is None:
        raise LostOwnership
    return jobs.ending_of(found.ending)


async def settle(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    status: JobStatus,
    held: bool = True,
    error: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
    service_state: ServiceState | None = None,
) -> None:
    """Write the final state; raises LostOwnership when another attempt owns the job.

    `held` is false for a job that no worker has; its row must be locked then.
    """
    values = {
        "job_id": job_id,
        "attempt": attempt,
        "status": str(status),
        "held": held,
        "error": json.dumps(dict(error)) if error is not None else None,
        "outcome": outcome,
        "service_state": service_state,
    }
    await _guarded(session, _SETTLE, values)


async def requeue(session: AsyncSession, job: Job) -> None:
    """Give a job without a living worker back to the queue. Call with its row locked."""
    job.status = JobStatus.CANCELING if job.status is JobStatus.CANCELING else JobStatus.QUEUED
    job.worker = job.lease_until = job.dispatched_at = job.not_before = None
    session.add(job)
    await session.flush()


async def _guarded(session: AsyncSession, statement: Any, values: Mapping[str, Any]) -> None:
    connection = await session.connection()
    if (await connection.execute(statement, dict(values))).first() is None:
        raise LostOwnership
