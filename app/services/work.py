"""What planning one job needs to know: its rows, and the facts that its first attempt froze."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from uuid import UUID

from app import store
from app.domain.job import FINAL
from app.domain.recipe import Recipe
from app.domain.release import release_dir
from app.errors import LostOwnership, NotFound
from app.models import AppServer, Host, Instance, Job
from app.store.database import Database

#: Hosts on the way to a host; more is a loop.
_MOST_JUMPS = 4


class Over(LostOwnership):
    """The job has ended: nobody has anything to do for it."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


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
    """Read what the plan of the job is made from; raises NotFound, and Over for one that ended."""
    async with db.statement() as session:
        found = await store.works.find(session, job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id}.")
    job, host = found.job, found.host
    if job.status in FINAL:
        raise Over(job)
    if host is None:
        raise LostOwnership
    jumps = await _jumps(db, host) if host.jump_host_id is not None else ()
    if found.instance is None or found.recipe is None:
        return Work(job, host, jumps)
    recipe = recipe_of(found.recipe)
    return Work(
        job=job,
        host=host,
        jumps=jumps,
        instance=found.instance,
        recipe=recipe,
        app_server=found.app_server or _preview(job, found.instance, host, recipe),
        facts=_frozen(job) or _facts(found.instance, others_running=found.older is not None),
        secret_names=found.secret_names,
        older=found.older,
    )


def work_of(work: Work, job: Job) -> Work:
    """The work of the job as it was claimed, with the facts that are frozen now."""
    return replace(work, job=job, facts=_frozen(job))


@lru_cache(maxsize=64)
def recipe_of(document: str) -> Recipe:
    """A version never changes, and most jobs have the same few."""
    return Recipe.from_document(json.loads(document))


def _frozen(job: Job) -> Facts | None:
    if job.facts is None:
        return None
    return Facts(**{**job.facts, "participants_created": tuple(job.facts["participants_created"])})


def _facts(instance: Instance, *, others_running: bool) -> Facts:
    return Facts(
        prepared=instance.prepared_at is not None,
        participants_created=tuple(instance.participants_created),
        others_running=others_running,
    )


async def _jumps(db: Database, host: Host) -> tuple[Host, ...]:
    found: list[Host] = []
    async with db.transaction() as session:
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
    return store.app_servers.new(
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
