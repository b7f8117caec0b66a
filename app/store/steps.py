"""Statements about the steps of a job. Every write names the attempt that makes it."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, text, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.job import StepStatus
from app.errors import LostOwnership
from app.models import JobStep

_START = text("""
    INSERT INTO steps (job_id, number, name, title, status, attempt, facts, started_at)
    SELECT id, :number, :name, :title, 'running', attempt, '{}', clock_timestamp()
    FROM jobs WHERE id = :job_id AND attempt = :attempt AND lease_until IS NOT NULL
    ON CONFLICT (job_id, number) DO UPDATE SET status = 'running', attempt = excluded.attempt
    RETURNING number
""")

_RETRY = text("""
    UPDATE steps SET tries = :tries
    FROM jobs
    WHERE jobs.id = :job_id AND jobs.attempt = :attempt AND jobs.lease_until IS NOT NULL
      AND steps.job_id = :job_id AND steps.number = :number
    RETURNING number
""")

_FINISH = text("""
    UPDATE steps SET status = :status, exit_code = :exit_code, duration_ms = :duration_ms,
           facts = CAST(:facts AS jsonb), finished_at = clock_timestamp()
    FROM jobs
    WHERE jobs.id = :job_id AND jobs.attempt = :attempt AND jobs.lease_until IS NOT NULL
      AND steps.job_id = :job_id AND steps.number = :number
    RETURNING number
""")


async def start(
    session: AsyncSession, job_id: UUID, *, attempt: int, number: int, name: str, title: str
) -> None:
    """The intent, written before anything is done on the host; raises LostOwnership."""
    values = {"job_id": job_id, "attempt": attempt, "number": number, "name": name, "title": title}
    connection = await session.connection()
    if (await connection.execute(_START, values)).first() is None:
        raise LostOwnership


async def retry(
    session: AsyncSession, job_id: UUID, *, attempt: int, number: int, tries: int
) -> None:
    """Count another try; raises LostOwnership."""
    values = {"job_id": job_id, "attempt": attempt, "number": number, "tries": tries}
    connection = await session.connection()
    if (await connection.execute(_RETRY, values)).first() is None:
        raise LostOwnership


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
) -> None:
    """The result; raises LostOwnership."""
    values = {
        "job_id": job_id,
        "attempt": attempt,
        "number": number,
        "status": str(status),
        "exit_code": exit_code,
        "duration_ms": duration_ms,
        "facts": json.dumps(dict(facts)),
    }
    connection = await session.connection()
    if (await connection.execute(_FINISH, values)).first() is None:
        raise LostOwnership


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
