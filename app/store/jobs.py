"""Statements about jobs as rows: add, read, keep, order to stop."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from app.domain.job import FINAL, WAITING, Answer, Ending, EndingWhy, JobKind, JobStatus
from app.errors import LostOwnership, NotFound
from app.models import Job
from app.models.base import utc_now
from app.store import events, rows
from app.store.database import driver
from app.store.plain import Insert

_INSERT = Insert(Job)

_ADD = f"""
    WITH job AS ({_INSERT.sql} RETURNING id, sequence), told AS (
        INSERT INTO events (job_id, seq, at, type, data)
        SELECT id, n, clock_timestamp(), type, data::jsonb
        FROM job, unnest(${_INSERT.size + 1}::text[], ${_INSERT.size + 2}::text[])
                  WITH ORDINALITY AS new (type, data, n)
    )
    SELECT sequence FROM job
"""  # noqa: S608 (columns of the model, nothing from outside)

# For the attempt that has the job, and for the next one while nobody has it.
_HAS_BEGUN = "SELECT started_at IS NOT NULL FROM jobs WHERE id = $1"

_KEEP_PLAN = """
    WITH job AS (
        SELECT id FROM jobs
        WHERE id = $1 AND (
            (attempt = $3 AND lease_until IS NOT NULL)
            OR (attempt = $3 - 1 AND lease_until IS NULL
                AND status IN ('queued', 'blocked', 'canceling')))
        FOR NO KEY UPDATE
    ), kept AS (
        UPDATE jobs SET plan = $2::jsonb FROM job
        WHERE jobs.id = job.id AND plan IS DISTINCT FROM $2::jsonb
    )
    SELECT id FROM job
"""


def new(**values: Any) -> Job:
    """A job that nobody has inserted yet, with the defaults of what is not given."""
    return _INSERT.new(**values)


async def add(session: AsyncSession, job: Job, *told: events.NewEvent) -> Job:
    """Insert it with its first events."""
    job.last_seq = len(told)
    types, datas = [str(kind) for kind, _ in told], [json.dumps(data) for _, data in told]
    values = _INSERT.values(job)
    job.sequence = await driver(session).fetchval(_ADD, *values, types, datas)
    events.told(session, job.id)
    return job


async def get(session: AsyncSession, job_id: UUID) -> Job:
    job = await session.get(Job, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}.", hint="List them with: liftlock jobs list")
    return job


async def lock(session: AsyncSession, job_id: UUID) -> Job:
    """The same, locked against other writers until the transaction ends, freshly read."""
    job = await get(session, job_id)
    await session.refresh(job, with_for_update={"key_share": True})
    return job


async def lock_not_begun(session: AsyncSession, job: Job) -> list[Job]:
    """Those of the same kind and target that wait and that no worker ever had, oldest first.

    Call with the rows of instance and hosts locked: jobs are locked after them, everywhere.
    """
    query = _rivals(job).where(
        col(Job.status).in_(WAITING), col(Job.started_at).is_(None), col(Job.ending).is_(None)
    )
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return list((await session.exec(query)).all())


async def find_open(session: AsyncSession, job: Job) -> Job | None:
    """The oldest of the same kind and target that has not ended."""
    query = _rivals(job).where(col(Job.status).not_in(FINAL)).limit(1)
    return (await session.exec(query)).first()


def _rivals(job: Job) -> SelectOfScalar[Job]:
    """Other jobs of its kind for the same instance; for the same host, when it has none.

    Some kinds are about one app server, an extension, or a router of before: then for the same.
    """
    same_target = (
        col(Job.host_id) == job.host_id
        if job.instance_id is None
        else col(Job.instance_id) == job.instance_id
    )
    same_params = [
        col(Job.params)[name].astext.is_not_distinct_from(job.params.get(name))
        for name in ("app_server", "router", "extension_name")
    ]
    return (
        select(Job)
        .where(col(Job.kind) == job.kind, col(Job.dry_run) == job.dry_run, same_target)
        .where(col(Job.id) != job.id, *same_params)
        .order_by(col(Job.sequence))
    )


async def status(session: AsyncSession, job_id: UUID) -> JobStatus:
    """Its status alone, for those who ask again and again; raises NotFound."""
    found = (await session.exec(select(Job.status).where(Job.id == job_id))).first()
    return (await get(session, job_id)).status if found is None else JobStatus(found)


async def has_begun(session: AsyncSession, job_id: UUID) -> bool:
    """Whether a worker ever had the job."""
    found = await driver(session).fetchval(_HAS_BEGUN, job_id)
    return bool(found)


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


async def keep_plan(
    session: AsyncSession, job_id: UUID, plan: list[dict[str, Any]], *, attempt: int
) -> None:
    """For people; raises LostOwnership unless that attempt has the job, or is the next to."""
    found = await driver(session).fetchval(_KEEP_PLAN, job_id, json.dumps(plan), attempt)
    if found is None:
        raise LostOwnership


async def order_end(session: AsyncSession, job: Job, ending: Ending) -> None:
    """Tell the job to stop. Call with its row locked; a job without a worker gets one for it."""
    job.ending = {**asdict(ending), "why": str(ending.why)}
    if ending.why is EndingWhy.CANCELED:
        job.status = JobStatus.CANCELING
    if job.lease_until is None:
        job.suspended = job.not_before = job.dispatched_at = job.lock_deadline = None
    session.add(job)
    await session.flush()


async def answer(session: AsyncSession, job: Job, answer: Answer) -> None:
    """Note what somebody says of the step it waits for. Call with its row locked."""
    job.suspended = {**(job.suspended or {}), "answer": str(answer)}
    job.not_before, job.dispatched_at = utc_now(), None
    session.add(job)
    await session.flush()


def ending_of(stored: Mapping[str, Any] | None) -> Ending | None:
    """The order to stop in a job's row."""
    return Ending(**{**stored, "why": EndingWhy(stored["why"])}) if stored else None
