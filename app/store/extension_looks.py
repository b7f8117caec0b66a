"""Statements about looks at extensions: whose turn it is."""

from datetime import timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.store.database import driver

# What a job is about is told by that job, or by the look behind it. What is planned for later is
# not waited for.
_QUIET = """
    NOT EXISTS (
        SELECT FROM jobs WHERE jobs.instance_id = instances.id AND NOT dry_run
           AND jobs.status IN ('queued', 'blocked', 'running', 'canceling')
           AND (started_at IS NOT NULL
                OR coalesce(not_before, '-infinity') <= clock_timestamp()))
    AND NOT EXISTS (
        SELECT FROM locks WHERE message IS NOT NULL
           AND (name = ANY(ARRAY['manual:all', 'manual:instance:' || instances.id])
                OR name IN (SELECT 'manual:host:' || host_id FROM app_servers
                            WHERE app_servers.instance_id = instances.id AND status = 'running')))
"""

# Who takes it sets the time of the look: a worker that dies meanwhile leaves it for the next one.
_TAKE = f"""
    UPDATE instances SET extensions_seen_at = clock_timestamp()
    WHERE id = (
        SELECT id FROM instances
        WHERE coalesce(extensions_seen_at + $1::interval <= clock_timestamp(), true)
          AND EXISTS (SELECT FROM app_servers
                      WHERE app_servers.instance_id = instances.id AND status = 'running'
                        AND extensions @> '[{{"enabled": true}}]')
          AND {_QUIET}
        ORDER BY extensions_seen_at NULLS FIRST, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
"""  # noqa: S608 (only the text above)

_IS_QUIET = f"SELECT {_QUIET} FROM instances WHERE id = $1"  # noqa: S608 (only the text above)


async def take(session: AsyncSession, every: timedelta) -> UUID | None:
    """The instance whose turn it is, for nobody else within that time; None: it is nobody's."""
    found: UUID | None = await driver(session).fetchval(_TAKE, every)
    return found


async def is_quiet(session: AsyncSession, instance_id: UUID) -> bool:
    """Whether no job and no lock by hand is about it."""
    return bool(await driver(session).fetchval(_IS_QUIET, instance_id))
