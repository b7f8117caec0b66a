"""What callers ask of jobs: request one, and read everything about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.host import CLOSED
from app.domain.job import JobKind, JobStatus, StepStatus
from app.domain.recipe import InvalidSettings, Recipe
from app.errors import Conflict, FieldError, Invalid, NotFound, PlanNotReady
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.models import AppServer, Event, Host, Instance, Job, JobStep
from app.services import secrets
from app.services.work import new_app_server
from app.store.database import Database


@dataclass(frozen=True)
class JobRequest:
    """What a caller wants done. `instance` and `host` are names or ids."""

    kind: JobKind
    instance: str | None = None
    host: str | None = None
    revision: str | None = None
    dry_run: bool = False
    priority: int = 0
    not_before: datetime | None = None


@dataclass(frozen=True)
class JobView:
    """A job with what a person wants to see beside it."""

    job: Job
    instance_name: str | None
    host_name: str | None
    app_server: AppServer | None
    #: Number, title and status of the last step that was begun.
    step: tuple[int, str, StepStatus] | None


async def request(
    db: Database,
    queue: JobQueue,
    vault: Vault,
    *,
    request: JobRequest,
    actor: str,
    request_id: str,
) -> JobView:
    """Commit the job with its first event, then wake a worker.

    Raises Invalid with a pointer for what the body names wrongly, and Conflict for a host that
    takes no work; nothing is written then.
    """
    async with db.transaction() as session:
        job = Job(
            kind=request.kind,
            params=_params(request),
            dry_run=request.dry_run,
            priority=request.priority,
            not_before=request.not_before,
            actor=actor,
            request_id=request_id,
        )
        if request.kind is JobKind.PROVISION:
            await _add_provision(session, vault, job, request)
        else:
            await _add_enroll(session, job, request)
        view = (await _views(session, [job]))[0]
    if request.not_before is None and await queue.push(job.id, 1):
        async with db.transaction() as session:
            await store.outbox.mark_dispatched(session, job.id)
    return view


async def get(db: Database, job_id: UUID) -> JobView:
    async with db.transaction() as session:
        return (await _views(session, [await store.jobs.get(session, job_id)]))[0]


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
        return await _views(session, jobs)


async def plan(db: Database, job_id: UUID) -> list[dict[str, Any]]:
    """The steps as a person reads them; raises PlanNotReady until a worker has made them."""
    async with db.transaction() as session:
        job = await store.jobs.get(session, job_id)
    if job.plan is None:
        raise PlanNotReady(hint=f"Ask again in a second: liftlock jobs plan {job_id}")
    return job.plan


async def events(db: Database, job_id: UUID, *, after: int, limit: int) -> Sequence[Event]:
    """Events numbered above `after`, in order; raises NotFound."""
    async with db.transaction() as session:
        await store.jobs.get(session, job_id)
        return await store.events.list_after(session, job_id, after=after, limit=limit)


async def steps(db: Database, job_id: UUID) -> list[JobStep]:
    async with db.transaction() as session:
        await store.jobs.get(session, job_id)
        return await store.steps.list_of_job(session, job_id)


def _params(request: JobRequest) -> dict[str, Any]:
    named = {"instance": request.instance, "host": request.host, "revision": request.revision}
    return {name: value for name, value in named.items() if value is not None}


async def _add_enroll(session: AsyncSession, job: Job, request: JobRequest) -> None:
    host = await _named_host(session, request.host, pointer="/host")
    job.host_id = host.id
    await store.jobs.add(session, job)
    await store.events.append(session, job.id, _queued(job, host=host.name))


async def _add_provision(
    session: AsyncSession, vault: Vault, job: Job, request: JobRequest
) -> None:
    instance = await _named_instance(session, request.instance)
    host = await _placement(session, instance, request.host)
    await _check_data_is_there(session, instance, host)
    recipe = Recipe.from_document((await store.recipes.by_id(session, instance.recipe_id)).document)
    environment = _environment(instance, recipe)
    await secrets.require(session, vault, instance, recipe)
    job.instance_id, job.host_id, job.recipe_id = instance.id, host.id, instance.recipe_id
    job.params = {**job.params, "revision": request.revision or instance.revision}
    await store.jobs.add(session, job)
    await store.events.append(session, job.id, _queued(job, instance=instance.name, host=host.name))
    if not job.dry_run:
        await _add_app_server(session, job, instance, host, environment)


async def _add_app_server(
    session: AsyncSession, job: Job, instance: Instance, host: Host, environment: dict[str, str]
) -> None:
    number = await store.instances.take_number(session, instance)
    port = await store.hosts.allocate_port(session, host)
    app_server = new_app_server(
        job, instance, host, number=number, port=port, environment=environment
    )
    await store.app_servers.add(session, app_server)
    created = {"id": str(app_server.id), "name": app_server.name, "port": app_server.port}
    await store.events.append(session, job.id, (EventType.APP_SERVER_CREATED, created))


async def _check_data_is_there(session: AsyncSession, instance: Instance, host: Host) -> None:
    """`prepare` and the participants ran on one host: elsewhere the site would find no data."""
    if instance.prepared_host_id in {None, host.id}:
        return
    there = await store.hosts.get(session, instance.prepared_host_id)
    raise Conflict(
        f"The data of instance {instance.name} was prepared on host {there.name}; {host.name} has"
        " none.",
        hint=f"Provision it with --host {there.name}, or make a second instance for {host.name}.",
    )


def _environment(instance: Instance, recipe: Recipe) -> dict[str, str]:
    """The settings as the site will see them; they were checked when they were set."""
    try:
        return recipe.resolve_settings(instance.settings)
    except InvalidSettings as error:
        fields = tuple(FieldError(f"/instance{e.pointer}", e.message) for e in error.errors)
        raise Invalid(
            f"The settings of instance {instance.name} do not fit recipe {recipe.name}.",
            errors=fields,
            code="invalid-settings",
            hint=f"Mend them: liftlock instances set {instance.name} --set NAME=VALUE",
        ) from error


async def _named_instance(session: AsyncSession, ref: str | None) -> Instance:
    if not ref:
        raise _invalid("/instance", "Name the instance to provision.")
    try:
        return await store.instances.lock(session, ref)
    except NotFound as error:
        raise _invalid("/instance", error.detail, "List them: liftlock instances list") from error


async def _placement(session: AsyncSession, instance: Instance, ref: str | None) -> Host:
    """The host asked for, or the instance's own; it must be enrolled and open."""
    wanted = ref or instance.host_id
    if wanted is None:
        raise _invalid("/host", f"Instance {instance.name} has no host of its own: name one.")
    host = await _named_host(session, wanted, pointer="/host")
    if host.host_key is None:
        raise Conflict(
            f"Host {host.name} is not enrolled: its key is not pinned.",
            code="host-key-missing",
            hint=f"Enroll it: liftlock hosts enroll {host.name}",
        )
    if host.status in CLOSED:
        raise Conflict(
            f"Host {host.name} is {host.status} and takes no new work.",
            code="host-closed",
            hint=f"Open it again: liftlock hosts set {host.name} --status ready",
        )
    return host


async def _named_host(session: AsyncSession, ref: str | UUID | None, *, pointer: str) -> Host:
    if not ref:
        raise _invalid(pointer, "Name the host.")
    try:
        return await store.hosts.lock(session, ref)
    except NotFound as error:
        raise _invalid(pointer, error.detail, "List them: liftlock hosts list") from error


def _invalid(pointer: str, detail: str, hint: str | None = None) -> Invalid:
    return Invalid(detail, errors=(FieldError(pointer, detail),), hint=hint)


def _queued(job: Job, **names: str) -> store.events.NewEvent:
    return (EventType.JOB_QUEUED, {"kind": job.kind, "actor": job.actor, **names})


async def _views(session: AsyncSession, jobs: list[Job]) -> list[JobView]:
    """Beside each job its names, app server and progress, in four statements for the page."""
    ids = {job.id for job in jobs}
    instances = await store.instances.names(
        session, {job.instance_id for job in jobs if job.instance_id}
    )
    hosts = await store.hosts.names(session, {job.host_id for job in jobs if job.host_id})
    app_servers = await store.app_servers.of_jobs(session, ids)
    progress = await store.steps.progress_of(session, ids)
    return [
        JobView(
            job=job,
            instance_name=instances.get(job.instance_id) if job.instance_id else None,
            host_name=hosts.get(job.host_id) if job.host_id else None,
            app_server=app_servers.get(job.id),
            step=progress.get(job.id),
        )
        for job in jobs
    ]
