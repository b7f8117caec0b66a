"""Out of service, and away: an app server is deactivated, or terminated."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind
from app.errors import Conflict
from app.gateways.vault import Vault
from app.models import AppServer, Instance, Job
from app.services import asking, machines, making, readiness, targets
from app.services.asking import Prepared
from app.services.job_request import JobRequest, Terms


async def prepare(session: AsyncSession, _: Vault, request: JobRequest, terms: Terms) -> Prepared:
    """Also on a host that takes no new work; one that is away already is only looked for."""
    if not request.app_server:
        raise asking.invalid("/app_server", f"Name the app server to {request.kind}.")
    instance, [one] = await targets.named(session, {"/app_server": request.app_server})
    routed = request.kind is JobKind.DEACTIVATE
    _check_statement(request)
    if request.gone:
        hosts = await store.orders.lock_hosts(session, [one.host_id])
    else:
        hosts = await targets.hosts_of(session, instance, [one], routed=routed)
    if routed:
        readiness.check_active(one)
    else:
        await readiness.check_terminable(session, one)
        if not request.gone:
            await readiness.check_unrouted(session, instance, one)
        may_lose = request.with_data or request.gone
        await machines.keepers(session, hosts[0], one, with_data=may_lose)
    job = _new_job(request.kind, instance, one, terms, request.drain)
    if request.with_data:
        job.params = {**job.params, "with_data": True}
    if request.gone:
        await _check_nobody_works_on(session, one)
        job.params = {**job.params, "gone": True, "reason": request.reason}
    return await targets.prepared(session, job, instance, hosts, [one])


async def make(
    session: AsyncSession,
    kind: JobKind,
    *,
    instance: Instance,
    app_server: AppServer,
    terms: Terms,
    drain: float | None = None,
) -> Job:
    """A job that nobody asked for by hand; the caller pushes it. Nothing is checked here."""
    job = _new_job(kind, instance, app_server, terms, drain)
    host = await store.hosts.get(session, app_server.host_id)
    return await making.add_job(session, job, {"instance": instance.name, "host": host.name})


def _check_statement(request: JobRequest) -> None:
    """Who states that something is gone says how they know it."""
    if request.gone and not (request.reason or "").strip():
        raise asking.invalid("/reason", "Say how you know that it is gone.")
    if request.reason is not None and not request.gone:
        raise asking.invalid("/reason", "A reason belongs to `gone`: leave it out.")


async def _check_nobody_works_on(session: AsyncSession, one: AppServer) -> None:
    """What a job may still reach is not gone: that job ends first, and tells what it found."""
    job_id = await store.app_servers.find_open_job(session, one)
    if job_id is not None:
        raise Conflict(
            f"Job {job_id} is about {one.name} ({one.id}), and has not ended.",
            hint=f"Wait for it: liftlock jobs wait {job_id}, or stop it: liftlock jobs cancel"
            f" {job_id}",
        )


def _new_job(
    kind: JobKind, instance: Instance, one: AppServer, terms: Terms, drain: float | None
) -> Job:
    params: dict[str, object] = {"app_server": str(one.id)}
    if kind is JobKind.DEACTIVATE:
        params["drain"] = targets.DRAIN if drain is None else drain
    return targets.new_job(kind, terms, instance, [one], params)
