"""What planning one job needs to know: its rows, and the facts that its first attempt froze."""

from dataclasses import asdict, dataclass, replace
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import FINAL
from app.domain.recipe import Recipe
from app.domain.release import release_dir
from app.errors import LostOwnership
from app.models import AppServer, Host, Instance, Job
from app.services import secrets
from app.store.database import Database

#: Hosts on the way to a host; more is a loop.
_MOST_JUMPS = 4


@dataclass(frozen=True)
class Facts:
    """What a provision found before it began; frozen by the first attempt."""

    prepared: bool
    participants_created: tuple[str, ...]
    #: The instance has another app server that runs, so its data is in use.
    others_running: bool


@dataclass(frozen=True)
class Work:
    """Everything that planning one job needs to know."""

    job: Job
    host: Host
    #: The hosts to jump through, nearest to the worker last.
    jumps: tuple[Host, ...]
    instance: Instance | None = None
    recipe: Recipe | None = None
    app_server: AppServer | None = None
    facts: Facts | None = None
    secret_names: tuple[str, ...] = ()
    #: The newest app server that ran before this job; what the site serves is asked there.
    older: AppServer | None = None


async def look(db: Database, job_id: UUID) -> Work:
    """Read what the plan of the job is made from; raises NotFound."""
    async with db.transaction() as session:
        job = await store.jobs.get(session, job_id)
        if job.host_id is None or job.status in FINAL:
            raise LostOwnership
        host = await store.hosts.get(session, job.host_id)
        jumps = await _jumps(session, host)
        if job.instance_id is None or job.recipe_id is None:
            return Work(job, host, jumps)
        instance = await store.instances.get(session, job.instance_id)
        document = (await store.recipes.by_id(session, job.recipe_id)).document
        recipe = Recipe.from_document(document)
        found = await store.app_servers.find_of_job(session, job_id)
        return Work(
            job=job,
            host=host,
            jumps=jumps,
            instance=instance,
            recipe=recipe,
            app_server=found or _preview(job, instance, host, recipe),
            facts=await _facts(session, job, instance),
            secret_names=await secrets.names(session, instance),
            older=await store.app_servers.find_running(session, instance.id),
        )


async def _facts(session: AsyncSession, job: Job, instance: Instance) -> Facts:
    if job.facts is not None:
        return Facts(
            **{**job.facts, "participants_created": tuple(job.facts["participants_created"])}
        )
    return Facts(
        prepared=instance.prepared_at is not None,
        participants_created=tuple(instance.participants_created),
        others_running=await store.app_servers.find_running(session, instance.id) is not None,
    )


async def lock_instance(session: AsyncSession, work: Work) -> None:
    """Keep others from changing what the facts of the work are read from."""
    if work.instance is not None:
        await store.instances.lock(session, work.instance.id)


async def freeze(session: AsyncSession, job: Job, work: Work) -> Work:
    """The work with its facts as they are now. Call with the instance's row locked."""
    if job.instance_id is None:
        return work
    instance = await store.instances.get(session, job.instance_id)
    facts = await _facts(session, job, instance)
    await store.jobs.keep_facts(session, job, asdict(facts))
    return replace(work, job=job, facts=facts)


async def _jumps(session: AsyncSession, host: Host) -> tuple[Host, ...]:
    found: list[Host] = []
    while host.jump_host_id is not None and len(found) < _MOST_JUMPS:
        host = await store.hosts.get(session, host.jump_host_id)
        found.append(host)
    return tuple(found)


def _preview(job: Job, instance: Instance, host: Host, recipe: Recipe) -> AppServer:
    """For a dry run: the app server as it would be, in no table."""
    environment = recipe.resolve_settings(instance.settings)
    number, port = instance.next_number, host.next_port
    return new_app_server(job, instance, host, number=number, port=port, environment=environment)


def new_app_server(
    job: Job,
    instance: Instance,
    host: Host,
    *,
    number: int,
    port: int,
    environment: dict[str, str],
) -> AppServer:
    """The row of a provision's app server, with its own copy of the settings."""
    revision = job.params["revision"]
    return AppServer(
        instance_id=instance.id,
        host_id=host.id,
        job_id=job.id,
        recipe_id=instance.recipe_id,
        number=number,
        name=f"AppServer {number}",
        revision=revision,
        release=release_dir(instance.name, revision, number),
        port=port,
        settings=environment,
    )
