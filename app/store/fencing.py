"""The statement that puts a fencing token above one that a host has seen."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.event import EventType
from app.errors import LostOwnership
from app.store import events
from app.store.database import driver

# The job's row first, as everywhere. Only the attempt that has the job and the lock may do it, and
# a token is never lowered.
_RAISE = """
    WITH job AS (
        UPDATE jobs SET last_seq = last_seq + 1
        WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL
          AND EXISTS (SELECT 1 FROM locks
                      WHERE name = $3 AND holder_job = $1 AND holder_attempt = $2)
        RETURNING id, last_seq
    ), lock AS (
        UPDATE locks SET token = greatest(token, $4::bigint + 1)
        FROM job WHERE name = $3 AND holder_job = job.id AND holder_attempt = $2
    )
    INSERT INTO events (job_id, seq, at, type, data)
    SELECT id, last_seq, clock_timestamp(), $5, $6::jsonb FROM job
    RETURNING seq
"""


async def raise_token(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    lock: str,
    host: int,
    told: Mapping[str, Any],
) -> None:
    """Above the `host`'s token; with its event. Raises LostOwnership."""
    event = EventType.LOCK_TOKEN_RAISED
    found = await driver(session).fetchrow(
        _RAISE, job_id, attempt, lock, host, event, json.dumps(dict(told))
    )
    if found is None:
        raise LostOwnership
    events.told(session, job_id)
