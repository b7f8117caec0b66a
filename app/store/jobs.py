"""Statements about jobs as rows: add, read, keep, order to stop."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.job import Ending, EndingWhy, JobKind, JobStatus
from app.errors import NotFound
from app.models import Job
from app.store import rows


async def add(session: AsyncSession, job: Job) -> Job:
    session.add(job)
    await session.flush()
    return job


async def get(session: AsyncSession, job_id: UUID) -> Job:
    job = await session.get(Job, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.", hint="List them with: liftlock jobs list")
    return job


async def list_page(
    session: AsyncSession,
    *,
    after: UUID | None,
    limit: int,
    status: JobStatus | None = None,
    kind: JobKind | None = None,
    instance_id: UUID | None = None,
) -> list[Job]:
    """Newest first."""
    query = select(Job)
    if status is not None:
        query = query.where(col(Job.status) == status)
    if kind is not None:
        query = query.where(col(Job.kind) == kind)
    if instance_id is not None:
        query = query.where(Job.instance_id == instance_id)
    return await rows.page(session, query, Job, after=after, limit=limit, newest_first=True)


async def keep_plan(session: AsyncSession, job_id: UUID, plan: list[dict[str, Any]]) -> None:
    connection = await session.connection()
    await connection.execute(update(Job).where(col(Job.id) == job_id).values(plan=plan))


async def keep_facts(session: AsyncSession, job: Job, facts: dict[str, Any]) -> None:
    """Freeze what the plan is made from. Call with the row locked by the claim."""
    job.facts = facts
    session.add(job)
    await session.flush()


async def order_end(session: AsyncSession, job: Job, ending: Ending) -> None:
    """Tell the job to stop. Call with its row locked; a job without a worker gets one for it."""
    job.ending = {**asdict(ending), "why": str(ending.why)}
    if ending.why is EndingWhy.CANCELED:
        job.status = JobStatus.CANCELING
    if job.lease_until is None:
        job.suspended = job.not_before = job.dispatched_at = job.lock_deadline = None
    session.add(job)
    await session.flush()


def ending_of(stored: Mapping[str, Any] | None) -> Ending | None:
    """The order to stop in a job's row."""
    return Ending(**{**stored, "why": EndingWhy(stored["why"])}) if stored else None
