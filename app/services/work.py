"""What planning one job needs to know: its rows, and the facts that its first attempt froze."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.deployment import ROUTING
from app.domain.extension import CannotChange
from app.domain.job import EXTENDING, FINAL, JobKind
from app.domain.recipe import Recipe
from app.errors import LostOwnership, NotFound, ServiceError
from app.models import AppServer, Host, Instance, Job, Machine, Router
from app.services import extension_facts, facts
from app.services.facts import ExtendFacts, Facts, RouteFacts
from app.services.making import new_app_server
from app.services.reading import recipe_of
from app.store.database import Database
from app.store.works import Found


class Over(LostOwnership):
    """The job has ended: nobody has anything to do for it."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


@dataclass(frozen=True)
class Standing:
    """An app server that was built, and where it stands."""

    app_server: AppServer
    host: Host
    #: The hosts to jump through, nearest to the worker last.
    jumps: tuple[Host, ...]
    recipe: Recipe


@dataclass(frozen=True)
class Routed:
    """The router that passes requests on, and where it runs."""

    router: Router
    host: Host
    #: The hosts to jump through, nearest to the worker last.
    jumps: tuple[Host, ...]


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
    #: The app servers that the job is about, by number.
    targets: tuple[Standing, ...] = ()
    #: Those that were in service before the job, by number; for a provision: that are now.
    before: tuple[Standing, ...] = ()
    #: None for an instance without a router.
    routed: Routed | None = None
    #: That the job's host is, or is to become; None for a host that somebody registered.
    machine: Machine | None = None


async def look(db: Database, job_id: UUID) -> Work:
    """Read what the plan of the job is made from; raises NotFound, and Over for one that ended."""
    async with db.statement() as session:
        found = await store.works.find(session, job_id)
    if found is None:
        raise NotFound(f"There is no job {job_id}.")
    if found.job.status in FINAL:
        raise Over(found.job)
    work = _alone(found)
    if not _needs_more(work, found):
        return work
    async with db.transaction() as session:
        return await _with_surroundings(session, work, found.active)


async def in_no_table(session: AsyncSession, job: Job, instance: Instance) -> Work:
    """For a look that is no job: what the plan of this one, with its facts, would be made from."""
    found = facts.frozen(job)
    if job.host_id is None or not isinstance(found, RouteFacts):
        raise LostOwnership
    secrets = await store.instances.list_secrets(session, instance.id)
    work = Work(
        job=job,
        host=await store.hosts.get(session, job.host_id),
        jumps=(),
        instance=instance,
        facts=found,
        secret_names=tuple(row.name for row in secrets),
    )
    return await _with_surroundings(session, work, found.before)


async def work_of(session: AsyncSession, work: Work, job: Job) -> Work:
    """The work of the job as it was claimed, with the facts that are frozen now.

    Call in the transaction that claimed it: what it tells a router is read anew, under its locks.
    """
    if job.kind not in ROUTING | EXTENDING | {JobKind.INSPECT}:
        return replace(work, job=job, facts=facts.frozen(job))
    found = await store.works.find(session, job.id)
    if found is None:
        raise LostOwnership
    return await _with_surroundings(session, _alone(found), found.active)


def _alone(found: Found) -> Work:
    """What one statement tells."""
    job, host, instance = found.job, found.host, found.instance
    if host is None:
        raise LostOwnership
    if instance is None or found.recipe is None:
        return Work(job, host, (), instance, machine=found.machine)
    recipe, app_server = recipe_of(found.recipe), found.app_server
    if app_server is None and job.kind is JobKind.PROVISION:
        app_server = _preview(job, instance, host, recipe)
    return Work(
        job=job,
        host=host,
        jumps=(),
        instance=instance,
        recipe=recipe,
        app_server=app_server,
        facts=_facts(found, instance),
        secret_names=found.secret_names,
        older=found.older,
        machine=found.machine,
    )


def _needs_more(work: Work, found: Found) -> bool:
    kind = work.job.kind
    return (
        work.host.jump_host_id is not None
        or kind not in {JobKind.PROVISION, JobKind.ENROLL}
        or (kind is JobKind.PROVISION and bool(found.active))
    )


async def _with_surroundings(session: AsyncSession, work: Work, active: Collection[UUID]) -> Work:
    """With the app servers and the router around the job, and the ways to their hosts."""
    if work.job.kind in EXTENDING and work.facts is None:
        work = replace(work, facts=await _preview_change(session, work.job))
    named, before = _named(work.job), active
    if isinstance(work.facts, RouteFacts):
        before = work.facts.before
    rows = await store.works.list_standing(session, {*named, *before})
    routed = await _find_routed(session, work)
    hosts = [work.host, *(row.host for row in rows), *([routed[1]] if routed else [])]
    jumping = {host.id for host in hosts if host.jump_host_id is not None}
    ways = await store.works.ways(session, jumping) if jumping else {}
    standing = {
        row.app_server.id: Standing(
            row.app_server, row.host, ways.get(row.host.id, ()), recipe_of(row.recipe)
        )
        for row in rows
    }
    targets = [one for key, one in standing.items() if key in named]
    if isinstance(work.facts, ExtendFacts):
        targets = _successors(work.job, work.facts, standing)
    return replace(
        work,
        jumps=ways.get(work.host.id, ()),
        targets=tuple(targets),
        before=tuple(one for key, one in standing.items() if key in before),
        routed=Routed(*routed, ways.get(routed[1].id, ())) if routed else None,
    )


async def _preview_change(session: AsyncSession, job: Job) -> ExtendFacts | None:
    """For people; what cannot be is told when the job is claimed."""
    try:
        return await extension_facts.find(session, job)
    except (ServiceError, CannotChange):
        return None


def _successors(job: Job, found: ExtendFacts, standing: Mapping[UUID, Standing]) -> list[Standing]:
    """In the places of those that serve: in no table, until the job has recorded them."""
    olds = [one.app_server for one in standing.values()]
    return [
        replace(standing[place.old], app_server=made)
        for place, made in zip(
            found.places, extension_facts.app_servers_of(job, found, olds), strict=True
        )
    ]


async def _find_routed(session: AsyncSession, work: Work) -> tuple[Router, Host] | None:
    """The instance's router; for a job that makes one forget the instance, that one."""
    told = work.job.params.get("router")
    router_id = UUID(told) if told else work.instance and work.instance.router_id
    return await store.works.find_routed(session, router_id) if router_id else None


def _named(job: Job) -> frozenset[UUID]:
    """The app servers that its request names."""
    one, several = job.params.get("app_server"), job.params.get("app_servers", ())
    return frozenset(UUID(ref) for ref in (*several, *([one] if one else [])))


def _facts(found: Found, instance: Instance) -> Facts | None:
    """As they were frozen, or as they would be now."""
    others_running = found.older is not None
    return facts.frozen(found.job) or facts.preview(
        found.job, instance, active=found.active, others_running=others_running
    )


def _preview(job: Job, instance: Instance, host: Host, recipe: Recipe) -> AppServer:
    """For a dry run: the app server as it would be, in no table."""
    number, port = instance.next_number, host.next_port
    settings = recipe.resolve_settings(instance.settings)
    return new_app_server(job, instance, host, number=number, port=port, settings=settings)
