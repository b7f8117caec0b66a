"""Statements about whose turn it is: the order on an instance, at a host, in all."""

from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.models import Job

# A job that has begun keeps its instance until it ends, also while it waits: it may have left
# things half done. Among the others the order of requests decides.
_OLDER = text("""
    SELECT id FROM jobs
    WHERE status IN ('queued', 'blocked', 'canceling') AND lease_until IS NULL
      AND id <> :job_id AND NOT dry_run AND instance_id = :instance_id
      AND (started_at IS NOT NULL
           OR (coalesce(not_before, '-infinity') <= clock_timestamp()
               AND (priority, sequence) < (:priority, :sequence)))
    ORDER BY started_at IS NULL, priority, sequence LIMIT 1
""")

_AHEAD_AT_HOST = text("""
    SELECT count(*) FROM jobs
    WHERE host_id = :host_id AND status = 'blocked' AND id <> :job_id
      AND blocked_by @> '[{"kind": "capacity"}]' AND (priority, sequence) < (:priority, :sequence)
""")

_RUNNING = text("""
    SELECT count(*) FROM jobs WHERE status IN ('running', 'canceling') AND lease_until IS NOT NULL
""")


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


async def count_ahead_at_host(session: AsyncSession, job: Job) -> int:
    """Jobs that waited for the same host's capacity before this one."""
    values = {
        "job_id": job.id,
        "host_id": job.host_id,
        "priority": job.priority,
        "sequence": job.sequence,
    }
    count: int = await (await session.connection()).scalar(_AHEAD_AT_HOST, values)
    return count


async def count_running(session: AsyncSession) -> int:
    count: int = await (await session.connection()).scalar(_RUNNING)
    return count
