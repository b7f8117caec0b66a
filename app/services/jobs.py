"""What callers read of jobs: everything about one, and lists of them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import FINAL, WAITING, JobKind, JobStatus, StepStatus
from app.errors import NotFound, PlanNotReady, Unavailable
from app.gateways.wakeups import Wakeups
from app.models import AppServer, Job, JobStep
from app.services import waiting
from app.store.database import Database


@dataclass(frozen=True)
class JobView:
    """A job with what a person wants to see beside it."""

    job: Job
    instance_name: str | None
    host_name: str | None
    #: The one that it makes.
    app_server: AppServer | None = None
    #: Number, title and status of the last step that was begun.
    step: tuple[int, str, StepStatus] | None = None
    #: Its place, from 1, among those that wait for the same instance, or to enroll the same host.
    position: int | None = None
    #: Id and name of each app server that it puts into service, takes out or terminates.
    app_servers: tuple[tuple[UUID, str], ...] = ()


def targets(job: Job) -> list[UUID]:
    """Ids of those app servers, in their order."""
    found = job.params.get("app_servers") or [job.params.get("app_server")]
    return [UUID(one) for one in found if one]


async def get(db: Database, job_id: UUID) -> JobView:
    async with db.transaction() as session:
        return await view(session, await store.jobs.get(session, job_id))


async def wait_until_ended(db: Database, wakeups: Wakeups, job_id: UUID, seconds: float) -> JobView:
    """The job once it has ended, or as it is after so many seconds; raises NotFound."""
    if seconds > 0:
        await waiting.until(
            wakeups,
            store.events.topic(job_id),
            look=lambda: _status(db, job_id),
            enough=FINAL.__contains__,
            seconds=seconds,
        )
    return await get(db, job_id)


async def list_page(
    db: Database,
    *,
    after: UUID | None,
    limit: int,
    status: JobStatus | None = None,
    kind: JobKind | None = None,
    instance: str | None = None,
) -> list[JobView]:
    """Newest first; raises NotFound for an unknown instance."""
    async with db.transaction() as session:
        instance_id = (await store.instances.get(session, instance)).id if instance else None
        jobs = await store.jobs.list_page(
            session, after=after, limit=limit, status=status, kind=kind, instance_id=instance_id
        )
        return await views(session, jobs)


async def plan(db: Database, job_id: UUID) -> list[dict[str, Any]]:
    """The steps as a person reads them; raises PlanNotReady until a worker has made them."""
    async with db.transaction() as session:
        job = await store.jobs.get(session, job_id)
    if job.plan is None:
        raise PlanNotReady(hint=f"Ask again in a second: liftlock jobs plan {job_id}")
    return job.plan


async def steps(db: Database, job_id: UUID) -> list[JobStep]:
    async with db.transaction() as session:
        await store.jobs.get(session, job_id)
        return await store.steps.list_of_job(session, job_id)


async def has_ended(db: Database, name: str) -> bool:
    """Whether the job of that id has; false for an unknown one, or while Postgres is away."""
    try:
        return await _status(db, UUID(name)) in FINAL
    except (ValueError, NotFound, Unavailable):
        return False


async def _status(db: Database, job_id: UUID) -> JobStatus:
    async with db.transaction() as session:
        return await store.jobs.status(session, job_id)


async def view(session: AsyncSession, job: Job) -> JobView:
    return (await views(session, [job]))[0]


async def views(session: AsyncSession, jobs: list[Job]) -> list[JobView]:
    """Beside each job its names, app server, progress and place: a few statements for the page."""
    ids = {job.id for job in jobs}
    instances = await store.instances.names(
        session, {job.instance_id for job in jobs if job.instance_id}
    )
    hosts = await store.hosts.names(session, {job.host_id for job in jobs if job.host_id})
    app_servers = await store.app_servers.of_jobs(session, ids)
    progress = await store.steps.progress_of(session, ids)
    names = await store.app_servers.names(session, {one for job in jobs for one in targets(job)})
    places = await _places(session, jobs)
    return [
        JobView(
            job=job,
            instance_name=instances.get(job.instance_id) if job.instance_id else None,
            host_name=hosts.get(job.host_id) if job.host_id else None,
            app_server=app_servers.get(job.id),
            step=progress.get(job.id),
            position=places.get(job.id),
            app_servers=tuple((one, names[one]) for one in targets(job) if one in names),
        )
        for job in jobs
    ]


async def _places(session: AsyncSession, jobs: list[Job]) -> dict[UUID, int]:
    waiting = [job for job in jobs if job.status in WAITING and not job.dry_run]
    if not waiting:
        return {}
    line = await store.lines.find(
        session,
        instances={job.instance_id for job in waiting if job.instance_id},
        hosts={job.host_id for job in waiting if job.host_id and job.kind is JobKind.ENROLL},
        jobs=[job.id for job in waiting],
    )
    return {one.job: one.position for one in line}
