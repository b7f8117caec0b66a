"""Into service: a set of app servers takes the place of those that serve now."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind
from app.gateways.vault import Vault
from app.models import AppServer, Instance, Job
from app.services import asking, making, readiness, targets
from app.services.asking import Prepared
from app.services.job_request import JobRequest, Terms

#: Seconds for which the site is watched after the switch.
_WATCH = 60


async def prepare(session: AsyncSession, _: Vault, request: JobRequest, terms: Terms) -> Prepared:
    """The app servers that were named; a single one brings those of its deployment along."""
    refs = {f"/app_servers/{place}": ref for place, ref in enumerate(request.app_servers)}
    if request.app_server:  # the address names it, not the body
        refs = {"": request.app_server, **refs}
    if not refs:
        raise asking.invalid("/app_servers", "Name the app servers to put into service.")
    instance, wanted = await targets.named(session, refs)
    wanted.sort(key=lambda row: row.number)
    if len(wanted) == 1 and not request.partial:
        wanted = await _with_companions(session, wanted[0])
    hosts = await targets.hosts_of(session, instance, wanted, routed=True)
    await readiness.check(session, instance, wanted, partial=request.partial)
    job = _new_job(
        instance,
        wanted,
        terms,
        drain=request.drain,
        watch=request.watch,
        partial=request.partial,
    )
    return await targets.prepared(session, job, instance, hosts, wanted)


async def make(
    session: AsyncSession,
    *,
    instance: Instance,
    app_servers: Sequence[AppServer],
    terms: Terms,
    sequence: int | None = None,
    deployment: UUID | None = None,
) -> Job:
    """The activation that follows by itself; the caller pushes it. Nothing is checked here.

    `sequence` is that of the request that wanted them: an older one does not replace a newer one.
    """
    job = _new_job(instance, app_servers, terms, sequence=sequence, deployment=deployment)
    host = await store.hosts.get(session, app_servers[0].host_id)
    return await making.add_job(session, job, {"instance": instance.name, "host": host.name})


def _new_job(
    instance: Instance,
    app_servers: Sequence[AppServer],
    terms: Terms,
    *,
    drain: float | None = None,
    watch: float | None = None,
    partial: bool = False,
    sequence: int | None = None,
    deployment: UUID | None = None,
) -> Job:
    params = {
        "app_servers": [str(one.id) for one in app_servers],
        "drain": targets.DRAIN if drain is None else drain,
        "watch": _WATCH if watch is None else watch,
        "hold": 0,
        "sequence": sequence,
        "deployment": str(deployment) if deployment else None,
        **({"partial": True} if partial else {}),
    }
    return targets.new_job(JobKind.ACTIVATE, terms, instance, app_servers, params)


async def _with_companions(session: AsyncSession, one: AppServer) -> list[AppServer]:
    """Those that were asked for together, and run, go into service together."""
    if one.deployment_id is None:
        return [one]
    found = await store.app_servers.list_of_deployment(session, one.deployment_id)
    return [row for row in found if row.id == one.id or readiness.can_serve(row)]
