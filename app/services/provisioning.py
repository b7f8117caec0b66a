"""New app servers: those of a request, each with a job of its own."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.job import JobKind
from app.domain.recipe import InvalidSettings, Recipe
from app.errors import Conflict, FieldError, Invalid
from app.gateways.vault import Vault
from app.models import AppServer, Host, Instance, Job
from app.services import asking, making, placing, present_extensions, readiness, secrets
from app.services.asking import Asked, Prepared
from app.services.job_request import JobRequest, Terms
from app.services.placing import Placement
from app.services.reading import recipe_of


async def prepare(
    session: AsyncSession, vault: Vault, request: JobRequest, terms: Terms
) -> Prepared:
    """As many app servers as the instance wants, each by a job of its own; a dry run makes none."""
    instance = await asking.named_instance(session, request.instance, verb="provision")
    rejoined = await _rejoined(session, request.retry_of)
    count = 1 if rejoined or request.dry_run else instance.target_count
    placed = await placing.place(session, instance, request.host, count=count)
    if placed.machines and request.dry_run:
        raise asking.invalid("/dry_run", "there is no machine to look at before it is made")
    if request.activate:
        await readiness.check_future(session, instance, placed.hosts)
    recipe = recipe_of(placed.ground.recipe)
    settings = _environment(instance, recipe)
    present = placed.ground.secret_names
    await secrets.require(session, vault, instance, recipe, present=present)
    params = {**_params(request, instance, placed), **rejoined}
    knows = recipe.extension is not None
    extensions = await present_extensions.of_instance(session, instance) if knows else []
    jobs = [new_job(instance, host, instance.recipe_id, params, terms) for host in placed.hosts]
    _join(jobs, rejoined)

    async def add() -> Asked:
        if request.dry_run:
            await making.add_job(session, jobs[0], names)
            return asking.asked(jobs[0], names=names)
        return await _add(session, instance, placed, jobs, (settings, extensions))

    names = {"instance": instance.name, "host": placed.hosts[0].name}
    return Prepared(jobs[0], names, placed.ground.manual, add, settings)


async def _rejoined(session: AsyncSession, job_id: UUID | None) -> dict[str, Any]:
    """The deployment of a job that is repeated, when it was to serve together with others.

    One that is whole needs nobody more: then the request is one of its own.
    """
    params = (await store.jobs.get(session, job_id)).params if job_id else {}
    if params.get("of", 1) == 1 or "deployment" not in params:
        return {}
    found = await store.app_servers.list_of_deployment(session, UUID(params["deployment"]))
    if sum(readiness.can_serve(row) for row in found) >= params["of"]:
        return {}
    return {name: params[name] for name in ("deployment", "of")}


def _params(request: JobRequest, instance: Instance, placed: Placement) -> dict[str, Any]:
    provider = next((one.provider for one in placed.machines.values()), None)
    optional = {"host": request.host, "pool": placed.pool, "provider": provider}
    return {
        "instance": request.instance,
        **{name: value for name, value in optional.items() if value is not None},
        "revision": request.revision or instance.revision,
        "of": len(placed.hosts),
        "try": 1,
        "tries": request.attempts or (2 if request.activate else 1),
        "activate": request.activate,
    }


def new_job(
    instance: Instance, host: Host, recipe_id: UUID, params: Mapping[str, Any], terms: Terms
) -> Job:
    return making.new_job(
        JobKind.PROVISION,
        terms,
        instance_id=instance.id,
        host_id=host.id,
        recipe_id=recipe_id,
        params=dict(params),
    )


def _join(jobs: list[Job], rejoined: Mapping[str, Any]) -> None:
    """Each job knows its deployment, and the other jobs of its request."""
    ids = [str(job.id) for job in jobs]
    for job in jobs:
        others = [other for other in ids if other != str(job.id)]
        deployment = {"deployment": ids[0], **({"others": others} if others else {})}
        # It was asked for now, though it belongs to what was asked for before.
        request = {"request": str(job.id)} if rejoined else {}
        job.params = {**job.params, **deployment, **rejoined, **request}


async def _add(
    session: AsyncSession,
    instance: Instance,
    placed: Placement,
    jobs: list[Job],
    given: tuple[Mapping[str, str], Sequence[dict[str, Any]]],
) -> Asked:
    settings, extensions = given
    taken = {host_id: set(ports) for host_id, ports in placed.ground.taken.items()}
    made = []
    for job, host in zip(jobs, placed.hosts, strict=True):
        ports = taken[host.id]
        machine = placed.machines.get(host.id)
        if machine is not None:
            await store.machines.add(session, machine, host)
        made.append(
            await make(
                session,
                job,
                instance,
                host,
                settings=settings,
                extensions=extensions,
                taken=ports,
            )
        )
        ports.add(made[-1].port)
    names = {"instance": instance.name, "host": placed.hosts[0].name}
    return asking.asked(*jobs, names=names, app_server=made[0])


async def make(
    session: AsyncSession,
    job: Job,
    instance: Instance,
    host: Host,
    *,
    settings: Mapping[str, str],
    extensions: Sequence[dict[str, Any]] = (),
    taken: Collection[int],
) -> AppServer:
    """Insert the job, its app server, and the events that tell of both."""
    port = free_port(host, taken)
    if port is None:
        raise Conflict(
            f"Host {host.name} has no free port in {host.port_first}-{host.port_last}.",
            hint="Give it a larger range: liftlock hosts set NAME --ports FIRST-LAST",
        )
    number = instance.next_number
    made = making.new_app_server(job, instance, host, number=number, port=port, settings=settings)
    made.extensions = list(extensions)
    created = {"id": str(made.id), "name": made.name, "port": port}
    names = {"instance": instance.name, "host": host.name}
    await making.add_job(session, job, names, (EventType.APP_SERVER_CREATED, created))
    next_port = port + 1 if port < host.port_last else host.port_first
    await store.app_servers.add(session, made, next_port=next_port)
    # The statement has counted on in the tables.
    instance.next_number, host.next_port = number + 1, next_port
    return made


def free_port(host: Host, taken: Collection[int]) -> int | None:
    """The next free port of the host's range; they go round, so none is tried again at once."""
    port = max(host.next_port, host.port_first)
    for _ in range(host.port_first, host.port_last + 1):
        port = port if port <= host.port_last else host.port_first
        if port not in taken:
            return port
        port += 1
    return None


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
