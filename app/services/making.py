"""New rows of jobs and app servers, for those who ask and for jobs that follow by themselves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.job import JobKind
from app.domain.release import release_dir
from app.models import AppServer, Host, Instance, Job
from app.services.job_request import Terms


def new_job(kind: JobKind, terms: Terms, **values: Any) -> Job:
    """In no table yet. The push comes after the commit; if it fails, the dispatcher finds it."""
    return store.jobs.new(
        kind=kind,
        actor=terms.actor,
        request_id=terms.request_id,
        priority=terms.priority,
        not_before=terms.not_before,
        dispatched_at=None if terms.not_before else datetime.now(UTC),
        deadline=terms.deadline,
        dry_run=terms.dry_run,
        retry_of=terms.retry_of,
        **values,
    )


async def add_job(
    session: AsyncSession, job: Job, names: Mapping[str, str], *told: store.events.NewEvent
) -> Job:
    """Insert it with its first events; `names` are those of its instance and host."""
    queued = {"kind": job.kind, "actor": job.actor, **names}
    return await store.jobs.add(session, job, (EventType.JOB_QUEUED, queued), *told)


def new_app_server(
    job: Job,
    instance: Instance,
    host: Host,
    *,
    number: int,
    port: int,
    settings: Mapping[str, str],
) -> AppServer:
    """In no table yet, with its own copy of the settings. The job has its recipe and revision."""
    revision = job.params["revision"]
    return store.app_servers.new(
        instance_id=instance.id,
        host_id=host.id,
        job_id=job.id,
        recipe_id=job.recipe_id,
        deployment_id=UUID(job.params.get("deployment", str(job.id))),
        number=number,
        name=f"AppServer {number}",
        revision=revision,
        release=release_dir(instance.name, revision, number),
        address=host.site_address,
        port=port,
        settings=dict(settings),
    )
