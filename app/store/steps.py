"""Statements about the steps of a job. Every write names the attempt that makes it."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.job import StepStatus
from app.errors import LostOwnership
from app.models import JobStep
from app.store import events
from app.store.database import driver

# Each begins with the job: the attempt that holds it, and a number for the event that tells of it.
_HELD = """
    WITH job AS (
        UPDATE jobs SET last_seq = last_seq + CASE WHEN $4::text IS NULL THEN 0 ELSE 1 END
        WHERE id = $1 AND attempt = $2 AND lease_until IS NOT NULL
        RETURNING id, attempt, last_seq
    ), event AS (
        INSERT INTO events (job_id, seq, at, type, data)
        SELECT id, last_seq, clock_timestamp(), $4, $5::jsonb FROM job WHERE $4 IS NOT NULL
    )
"""

_START = f"""{_HELD}
    INSERT INTO steps (job_id, number, name, title, status, attempt, facts, started_at)
    SELECT id, $3, $6, $7, 'running', attempt, '{{}}', clock_timestamp() FROM job
    ON CONFLICT (job_id, number) DO UPDATE SET status = 'running', attempt = excluded.attempt
    RETURNING number
"""  # noqa: S608 (only the text above)

_SKIP = f"""{_HELD}
    INSERT INTO steps (job_id, number, name, title, status, attempt, facts, started_at,
                       finished_at, duration_ms)
    SELECT id, $3, $6, $7, 'skipped', attempt, '{{}}', clock_timestamp(), clock_timestamp(), 0
    FROM job
    ON CONFLICT (job_id, number) DO UPDATE SET status = 'skipped', attempt = excluded.attempt
    RETURNING number
"""  # noqa: S608 (only the text above)

_RETRY = f"""{_HELD}
    UPDATE steps SET tries = $6 FROM job WHERE steps.job_id = job.id AND steps.number = $3
    RETURNING number
"""  # noqa: S608 (only the text above)

_FINISH = f"""{_HELD}
    UPDATE steps SET status = $6, exit_code = $7, duration_ms = $8, facts = $9::jsonb,
           finished_at = clock_timestamp()
    FROM job WHERE steps.job_id = job.id AND steps.number = $3
    RETURNING number
"""  # noqa: S608 (only the text above)


async def start(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    number: int,
    name: str,
    title: str,
    event: events.NewEvent | None = None,
) -> None:
    """The intent, written before anything is done on the host; raises LostOwnership."""
    await _write(session, _START, (job_id, attempt, number), event, name, title)


async def skip(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    number: int,
    name: str,
    title: str,
    event: events.NewEvent | None = None,
) -> None:
    """A step that is not needed, begun and ended at once; raises LostOwnership."""
    await _write(session, _SKIP, (job_id, attempt, number), event, name, title)


async def retry(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    number: int,
    tries: int,
    event: events.NewEvent | None = None,
) -> None:
    """Count another try; raises LostOwnership."""
    await _write(session, _RETRY, (job_id, attempt, number), event, tries)


async def finish(
    session: AsyncSession,
    job_id: UUID,
    *,
    attempt: int,
    number: int,
    status: StepStatus,
    exit_code: int | None,
    duration_ms: int,
    facts: Mapping[str, Any],
    event: events.NewEvent | None = None,
) -> None:
    """The result; raises LostOwnership."""
    result = (status, exit_code, duration_ms, json.dumps(dict(facts)))
    await _write(session, _FINISH, (job_id, attempt, number), event, *result)


async def list_of_job(session: AsyncSession, job_id: UUID) -> list[JobStep]:
    query = select(JobStep).where(JobStep.job_id == job_id).order_by(col(JobStep.number))
    return list((await session.exec(query)).all())


async def progress_of(
    session: AsyncSession, job_ids: set[UUID]
) -> dict[UUID, tuple[int, str, StepStatus]]:
    """The last step begun of each job: number, title, status."""
    if not job_ids:
        return {}
    last = (
        select(JobStep.job_id, func.max(JobStep.number))
        .where(col(JobStep.job_id).in_(job_ids))
        .group_by(col(JobStep.job_id))
    )
    query = select(JobStep).where(tuple_(col(JobStep.job_id), col(JobStep.number)).in_(last))
    found = (await session.exec(query)).all()
    return {step.job_id: (step.number, step.title, step.status) for step in found}


async def _write(
    session: AsyncSession,
    statement: str,
    key: tuple[UUID, int, int],
    event: events.NewEvent | None,
    *values: Any,
) -> None:
    kind, data = event or (None, {})
    found = await driver(session).fetchrow(statement, *key, kind, json.dumps(data), *values)
    if found is None:
        raise LostOwnership
    if event is not None:
        events.told(session, key[0])
