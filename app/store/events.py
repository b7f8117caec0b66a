"""Statements about events: numbered under the job's row lock, so no reader ever skips one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.event import EventType
from app.errors import LostOwnership
from app.models import Event
from app.store.database import announce

#: One event to append: its type and its data (JSON, already redacted).
NewEvent = tuple[EventType, Mapping[str, Any]]

# One statement: the row lock of the job is held for under a millisecond, the numbers of a
# rolled-back transaction are given back, and an old attempt writes nothing.
_APPEND = text("""
    WITH job AS (
        UPDATE jobs SET last_seq = last_seq + cardinality(CAST(:types AS text[]))
        WHERE id = :job_id
          AND (CAST(:attempt AS int) IS NULL OR (attempt = :attempt AND lease_until IS NOT NULL))
        RETURNING last_seq
    )
    INSERT INTO events (job_id, seq, at, type, data)
    SELECT :job_id, last_seq - cardinality(CAST(:types AS text[])) + n, clock_timestamp(),
           type, CAST(data AS jsonb)
    FROM job, unnest(CAST(:types AS text[]), CAST(:datas AS text[]))
         WITH ORDINALITY AS new (type, data, n)
    RETURNING seq
""")


async def append(
    session: AsyncSession, job_id: UUID, *new: NewEvent, attempt: int | None = None
) -> None:
    """Append events in order.

    A worker gives its `attempt`; LostOwnership is raised unless that attempt runs the job now.
    Without it, the caller must have guarded the same transaction in another way.
    """
    values = {
        "job_id": job_id,
        "attempt": attempt,
        "types": [str(kind) for kind, _ in new],
        "datas": [json.dumps(data) for _, data in new],
    }
    connection = await session.connection()
    written = (await connection.execute(_APPEND, values)).all()
    if len(written) != len(new):
        raise LostOwnership
    announce(session, f"events:{job_id}")


async def list_after(
    session: AsyncSession, job_id: UUID, *, after: int, limit: int
) -> Sequence[Event]:
    query = select(Event).where(Event.job_id == job_id, Event.seq > after)
    return (await session.exec(query.order_by(col(Event.seq)).limit(limit))).all()
