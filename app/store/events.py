"""Statements about events: numbered under the job's row lock, so no reader ever skips one."""

import json
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.event import EventType, Reading, StoredEvent
from app.domain.job import JobStatus
from app.errors import LostOwnership
from app.store.database import announce, driver

#: One event to append: its type and its data (JSON, already redacted).
NewEvent = tuple[EventType, Mapping[str, Any]]

# One statement: the row lock of the job is held for under a millisecond, the numbers of a
# rolled-back transaction are given back, and an old attempt writes nothing.
_APPEND = """
    WITH job AS (
        UPDATE jobs SET last_seq = last_seq + cardinality($3::text[])
        WHERE id = $1
          AND ($2::int IS NULL OR (attempt = $2 AND lease_until IS NOT NULL))
        RETURNING last_seq
    )
    INSERT INTO events (job_id, seq, at, type, data)
    SELECT $1, last_seq - cardinality($3::text[]) + n, clock_timestamp(), type, data::jsonb
    FROM job, unnest($3::text[], $4::text[]) WITH ORDINALITY AS new (type, data, n)
    RETURNING seq
"""

# Its newest pieces, so that a long step costs no more than a short one.
_SAID = """
    SELECT string_agg(text, '' ORDER BY seq) FROM (
        SELECT seq, data ->> 'text' AS text FROM events
        WHERE job_id = $1 AND type = 'step.output' AND data ->> 'step' = $2
          AND NOT coalesce((data ->> 'undo')::boolean, false)
        ORDER BY seq DESC LIMIT 50
    ) AS newest
"""

# One snapshot of the job and of what it told, so that neither is newer than the other.
_READ = """
    SELECT jobs.last_seq, jobs.status, new.seq, new.at, new.type, new.data
    FROM jobs LEFT JOIN LATERAL (
        SELECT seq, at, type, CAST(data AS text) AS data FROM events
        WHERE job_id = $1 AND seq > $2 AND jobs.last_seq IS DISTINCT FROM CAST($3 AS bigint)
        ORDER BY seq LIMIT $4
    ) AS new ON true
    WHERE jobs.id = $1
    ORDER BY new.seq
"""

_IS_NEWEST = """
    SELECT EXISTS (
        SELECT FROM jobs JOIN events ON job_id = jobs.id AND seq = last_seq
        WHERE jobs.id = $1 AND type = $2 AND data = $3::jsonb
    )
"""

_LAST = "SELECT id, last_seq FROM jobs WHERE id = ANY($1::uuid[])"


def topic(job_id: UUID) -> str:
    """What is announced when the job has told something new."""
    return f"events:{job_id}"


def job_of(name: str) -> UUID | None:
    """The job whose topic that is."""
    kind, _, job_id = name.partition(":")
    return UUID(job_id) if kind == "events" else None


async def append(
    session: AsyncSession, job_id: UUID, *new: NewEvent, attempt: int | None = None
) -> None:
    """Append events in order.

    A worker gives its `attempt`; LostOwnership is raised unless that attempt runs the job now.
    Without it, the caller must have guarded the same transaction in another way.
    """
    types, datas = [str(kind) for kind, _ in new], [json.dumps(data) for _, data in new]
    written = await driver(session).fetch(_APPEND, job_id, attempt, types, datas)
    if len(written) != len(new):
        raise LostOwnership
    told(session, job_id)


def told(session: AsyncSession, job_id: UUID) -> None:
    """Wake the readers of the job once the transaction is committed."""
    announce(session, topic(job_id))


async def read(
    session: AsyncSession, job_id: UUID, *, after: int, limit: int, known: int | None = None
) -> Reading | None:
    """Events above `after`, none of them while the last one is `known`. None: no such job."""
    rows = await driver(session).fetch(_READ, job_id, after, known, limit)
    if not rows:
        return None
    return Reading(
        after=after,
        items=tuple(StoredEvent(*row[2:]) for row in rows if row["seq"] is not None),
        last_seq=rows[0]["last_seq"],
        status=JobStatus(rows[0]["status"]),
    )


async def said(session: AsyncSession, job_id: UUID, step: str) -> str:
    """The end of what a step put out, without what its undo did; empty when that was nothing."""
    found: str | None = await driver(session).fetchval(_SAID, job_id, step)
    return found or ""


async def is_newest(session: AsyncSession, job_id: UUID, event: NewEvent) -> bool:
    """Whether the last event of the job is this very one."""
    kind, data = event
    found = await driver(session).fetchval(_IS_NEWEST, job_id, str(kind), json.dumps(data))
    return bool(found)


async def last_numbers(session: AsyncSession, job_ids: Collection[UUID]) -> dict[UUID, int]:
    """The number of the last event of each job."""
    return {row[0]: row[1] for row in await driver(session).fetch(_LAST, list(job_ids))}
