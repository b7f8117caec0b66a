"""Statements that find jobs which need somebody: unclaimed, orphaned, overdue, now free to run."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.models import Job
from app.store.database import driver

# A row that nobody claimed a while after its last push is pushed again: after a crash between
# commit and push, after Redis lost everything, and to retry blocked jobs. The one that waited
# longest for its push comes first: however many wait, each has its turn.
_UNCLAIMED = text("""
    UPDATE jobs SET dispatched_at = clock_timestamp()
    WHERE id IN (
        SELECT id FROM jobs
        WHERE status IN ('queued', 'blocked', 'canceling') AND lease_until IS NULL
          AND coalesce(not_before, '-infinity') <= clock_timestamp()
          AND coalesce(dispatched_at, '-infinity') < clock_timestamp() - CAST(:age AS interval)
        ORDER BY coalesce(dispatched_at, '-infinity'), priority, sequence LIMIT :limit
        FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING id, attempt, priority, sequence
""")

_ORPHANS = text("""
    SELECT id FROM jobs
    WHERE status IN ('running', 'canceling') AND lease_until < clock_timestamp()
      AND id = coalesce(:job_id, id)
    ORDER BY sequence LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")

_OVERDUE = text("""
    SELECT id FROM jobs WHERE status = 'blocked' AND lock_deadline < clock_timestamp()
    ORDER BY sequence LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")

_LATE = text("""
    SELECT id FROM jobs
    WHERE status IN ('queued', 'blocked', 'running') AND deadline < clock_timestamp()
      AND ending IS NULL
    ORDER BY sequence LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")

# Who may have waited for this very job: the first of its instance, and of those that were refused
# by its host (an enrolment apart, which takes no capacity) and by the limit. Whoever is woken in
# vain notes why, and the next end wakes the one behind it.
_RIVALS = """
    WITH waiting AS NOT MATERIALIZED (
        SELECT id, attempt, instance_id, host_id, kind, status, blocked_by, priority, sequence
        FROM jobs
        WHERE status IN ('queued', 'blocked', 'canceling') AND lease_until IS NULL AND id <> $1
          AND coalesce(not_before, '-infinity') <= clock_timestamp()
    )
    SELECT id, attempt FROM (
        (SELECT * FROM waiting WHERE instance_id = $2 ORDER BY priority, sequence LIMIT 1)
        UNION
        (SELECT * FROM waiting WHERE host_id = $3 AND blocked_by @> '[{"kind": "capacity"}]'
         ORDER BY priority, sequence LIMIT 1)
        UNION
        (SELECT * FROM waiting WHERE host_id = $3 AND kind = 'enroll' AND status <> 'queued'
         ORDER BY priority, sequence LIMIT 1)
        UNION
        (SELECT * FROM waiting
         WHERE status = 'blocked' AND blocked_by @> '[{"kind": "limit"}]'
         ORDER BY priority, sequence LIMIT 1)
    ) AS rivals
    ORDER BY priority, sequence
"""


_MARK = "UPDATE jobs SET dispatched_at = clock_timestamp() WHERE id = $1"


async def mark_dispatched(session: AsyncSession, job_id: UUID) -> None:
    await driver(session).execute(_MARK, job_id)


async def take_unclaimed(
    session: AsyncSession, *, age: timedelta, limit: int
) -> list[tuple[UUID, int]]:
    """Id and next attempt of waiting jobs whose last push is older than `age`, in order."""
    connection = await session.connection()
    found = (await connection.execute(_UNCLAIMED, {"age": age, "limit": limit})).all()
    ordered = sorted(found, key=lambda row: (row.priority, row.sequence))
    return [(row.id, row.attempt + 1) for row in ordered]


async def lock_orphans(
    session: AsyncSession, *, limit: int, job_id: UUID | None = None
) -> list[Job]:
    """Running jobs whose worker has not renewed its lease, locked; only the one, if it is given."""
    return await _locked(session, _ORPHANS, limit, job_id=job_id)


async def lock_overdue(session: AsyncSession, *, limit: int) -> list[Job]:
    """Blocked jobs that have waited long enough, locked."""
    return await _locked(session, _OVERDUE, limit)


async def lock_late(session: AsyncSession, *, limit: int) -> list[Job]:
    """Unfinished jobs whose deadline has passed and that were not told to stop yet, locked."""
    return await _locked(session, _LATE, limit)


async def list_rivals(session: AsyncSession, job: Job) -> list[tuple[UUID, int]]:
    """Waiting jobs that may be able to run once `job` is done, with their next attempt."""
    found = await driver(session).fetch(_RIVALS, job.id, job.instance_id, job.host_id)
    return [(row["id"], row["attempt"] + 1) for row in found]


async def _locked(session: AsyncSession, statement: Any, limit: int, **values: Any) -> list[Job]:
    connection = await session.connection()
    ids = (await connection.execute(statement, {"limit": limit, **values})).scalars().all()
    found = await session.exec(
        select(Job).where(col(Job.id).in_(ids)).execution_options(populate_existing=True)
    )
    return list(found.all())
