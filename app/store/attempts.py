"""Statements of one attempt at a job: claim, renew, suspend, settle. Each is its own guard."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.event import EventType
from app.domain.job import Ending, JobStatus, Outcome, ServiceState
from app.errors import LostOwnership
from app.models import Job
from app.store import events, jobs
from app.store.database import driver
from app.store.plain import Columns

_JOB = Columns(Job, "job")

# `attempt` is the guard: a wake-up that comes twice, or late, finds another number and stops.
# What runs until its end says `canceling` keeps saying so. Everything stands or falls with the
# first part: without the job there is no token and no event.
_CLAIM = f"""
    WITH job AS (
        UPDATE jobs SET attempt = attempt + 1, worker = $3,
               status = CASE status WHEN 'canceling' THEN 'canceling' ELSE 'running' END,
               lease_until = clock_timestamp() + $4, blocked_by = '[]', lock_deadline = NULL,
               suspended = NULL, started_at = coalesce(started_at, clock_timestamp()),
               facts = coalesce(nullif(facts, 'null'), $5::jsonb),
               plan = coalesce($8::jsonb, plan),
               last_seq = last_seq + CASE WHEN $7::text IS NULL THEN 0 ELSE 1 END
        WHERE id = $1 AND attempt = $2 - 1 AND lease_until IS NULL
          AND status IN ('queued', 'blocked', 'canceling')
        RETURNING *
    ), token AS (
        INSERT INTO locks (name, token, holder_job, holder_attempt, acquired_at)
        SELECT name, 1, id, attempt, clock_timestamp() FROM job, unnest($6::text[]) AS name
        ON CONFLICT (name) DO UPDATE
        SET token = locks.token + 1, holder_job = excluded.holder_job,
            holder_attempt = excluded.holder_attempt, acquired_at = excluded.acquired_at
        RETURNING name, token
    ), tokens AS (
        SELECT coalesce(jsonb_object_agg(name, token), '{{}}') AS tokens FROM token
    ), event AS (
        INSERT INTO events (job_id, seq, at, type, data)
        SELECT id, last_seq, clock_timestamp(), $7,
               jsonb_build_object('attempt', attempt, 'worker', worker, 'tokens', tokens)
        FROM job, tokens WHERE $7 IS NOT NULL
    )
    SELECT {_JOB.sql}, tokens FROM job, tokens
"""  # noqa: S608 (columns of the models, nothing from outside)

_BLOCK = """
    UPDATE jobs SET blocked_by = $3::jsonb,
           status = CASE status WHEN 'canceling' THEN 'canceling' ELSE 'blocked' END,
           lock_deadline = coalesce(lock_deadline, clock_timestamp() + $4),
           dispatched_at = clock_timestamp() - $5::interval
    WHERE id = $1 AND attempt = $2 - 1 AND lease_until IS NULL
      AND status IN ('queued', 'blocked', 'canceling')
    RETURNING id
"""

_SUSPEND = """
    UPDATE jobs SET status = 'blocked', suspended = $3::jsonb, blocked_by = $4::jsonb,
           not_before = $5,
           lease_until = NULL, worker = NULL, dispatched_at = NULL, lock_deadline = NULL
    WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL AND ending IS NULL
    RETURNING id
"""

# The lease tells the attempt that holds the job; without one, nobody may write as a worker.
_RENEW = """
    UPDATE jobs SET lease_until = clock_timestamp() + $3
    WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL
    RETURNING ending
"""

_SETTLE = """
    WITH job AS (
        UPDATE jobs SET status = $3, error = $5::jsonb, outcome = $6, service_state = $7,
               finished_at = clock_timestamp(), lease_until = NULL, worker = NULL,
               blocked_by = '[]', suspended = NULL,
               last_seq = last_seq + CASE WHEN $8::text IS NULL THEN 0 ELSE 1 END
        WHERE id = $1 AND attempt = $2 AND (lease_until IS NOT NULL) = $4
          AND status IN ('queued', 'blocked', 'running', 'canceling')
        RETURNING id, last_seq, ending
    ), event AS (
        INSERT INTO events (job_id, seq, at, type, data)
        SELECT id, last_seq, clock_timestamp(), $8, $9::jsonb FROM job WHERE $8 IS NOT NULL
    )
    SELECT ending FROM job
"""

_KEEP_GIVEN_UP = """
    UPDATE jobs SET params = params || jsonb_build_object('given_up', $2::text) WHERE id = $1
"""
_KEEP_NEXT = "UPDATE jobs SET params = params || jsonb_build_object('next', $2::text) WHERE id = $1"


@dataclass(frozen=True)
class Claimed:
    """The job as it stands now, and a new fencing token for each of its locks."""

    job: Job
    tokens: Mapping[str, int]


async def claim(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    worker: str,
    lease: timedelta,
    lock_names: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    event: EventType | None = None,
    plan: Sequence[Mapping[str, Any]] | None = None,
) -> Claimed:
    """Take the job as that attempt; raises LostOwnership when it is not to be had.

    `facts` are kept unless an earlier attempt froze its own, and the `plan` is kept for people.
    `event` tells of it.
    """
    found = await driver(session).fetchrow(
        _CLAIM,
        job_id,
        attempt,
        worker,
        lease,
        None if facts is None else json.dumps(facts),
        sorted(lock_names),
        event,
        None if plan is None else json.dumps(plan),
    )
    if found is None:
        raise LostOwnership
    if event is not None:
        events.told(session, job_id)
    return Claimed(_JOB.build(found), found["tokens"])


async def block(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    blocked_by: Sequence[Mapping[str, Any]],
    wait: timedelta,
    pushed_ago: timedelta = timedelta(),
) -> None:
    """Note who is in the way; the job stays unclaimed. Raises LostOwnership.

    `pushed_ago` lets the dispatcher come so much earlier.
    """
    who = json.dumps([dict(item) for item in blocked_by])
    await _guarded(session, _BLOCK, job_id, attempt, who, wait, pushed_ago)


async def suspend(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    until: datetime | None,
    suspended: Mapping[str, Any],
) -> None:
    """Give the job back until a time; raises LostOwnership, also when it was told to end."""
    blocked_by = [{**suspended, "kind": f"wait-{suspended['kind']}"}]
    why, who = json.dumps(dict(suspended)), json.dumps(blocked_by)
    await _guarded(session, _SUSPEND, job_id, attempt, why, who, until)


async def renew(
    session: AsyncSession, job_id: UUID, *, attempt: int, lease: timedelta
) -> Ending | None:
    """Say that the worker lives; the order to stop, if there is one.

    Raises LostOwnership when somebody else has the job.
    """
    found = await _guarded(session, _RENEW, job_id, attempt, lease)
    return jobs.ending_of(found["ending"])


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
    event: events.NewEvent | None = None,
) -> Ending | None:
    """Write the final state; the order to stop that the job was given, if it was.

    Raises LostOwnership when another attempt owns the job. `held` is false for a job that no
    worker has; its row must be locked then. `event` is its last one, when nothing has to be told
    in between.
    """
    kind, data = event or (None, {})
    found = await _guarded(
        session,
        _SETTLE,
        job_id,
        attempt,
        status,
        held,
        json.dumps(dict(error)) if error is not None else None,
        outcome,
        service_state,
        kind,
        json.dumps(data),
    )
    if event is not None:
        events.told(session, job_id)
    return jobs.ending_of(found["ending"])


async def keep_next(session: AsyncSession, job_id: UUID, next_id: UUID) -> None:
    """Note which job follows one that has ended. Call in the transaction that ended it."""
    await driver(session).execute(_KEEP_NEXT, job_id, str(next_id))


async def keep_given_up(session: AsyncSession, job_id: UUID, why: str) -> None:
    """Note why no other attempt follows one that has failed. Call as `keep_next`."""
    await driver(session).execute(_KEEP_GIVEN_UP, job_id, why)


async def requeue(session: AsyncSession, job: Job) -> None:
    """Give a job without a living worker back to the queue. Call with its row locked."""
    job.status = JobStatus.CANCELING if job.status is JobStatus.CANCELING else JobStatus.QUEUED
    job.worker = job.lease_until = job.dispatched_at = job.not_before = None
    session.add(job)
    await session.flush()


async def _guarded(session: AsyncSession, statement: str, *values: Any) -> Any:
    """The row that was written; raises LostOwnership when the guard held it back."""
    found = await driver(session).fetchrow(statement, *values)
    if found is None:
        raise LostOwnership
    return found
