"""A router is brought to what an instance wants of it, or forgets the instance."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.job import JobKind
from app.errors import Conflict, NotFound
from app.gateways.vault import Vault
from app.models import Instance, Job, Router
from app.services import asking, making, readiness, targets
from app.services.asking import Prepared
from app.services.job_request import JobRequest, Terms


async def prepare(session: AsyncSession, _: Vault, request: JobRequest, terms: Terms) -> Prepared:
    """For an instance that has a router, or to repeat that one of before forgets it."""
    instance = await asking.named_instance(session, request.instance, verb="route")
    left = await _left(session, instance, request.retry_of)
    if left is not None:
        hosts = await asking.enrolled_hosts(session, [left.host_id])
        job = _new_job(instance, left, terms, forget=True)
        return await targets.prepared(session, job, instance, hosts)
    if instance.router_id is None:
        detail = f"Instance {instance.name} has no router."
        hint = f"Give it one: liftlock instances set {instance.name} --router NAME"
        raise asking.invalid("/instance", detail, hint)
    router = await store.routers.get(session, instance.router_id)
    hosts = await asking.enrolled_hosts(session, [router.host_id])
    readiness.check_capable(instance, router)
    job = _new_job(instance, router, terms, forget=False)
    return await targets.prepared(session, job, instance, hosts)


async def make(
    session: AsyncSession,
    *,
    instance: Instance,
    router: Router,
    terms: Terms,
    forget: bool = False,
) -> Job:
    """With `forget` the router, which may be one of before, drops all it has of the instance.

    The caller pushes the job. Nothing is checked here.
    """
    job = _new_job(instance, router, terms, forget=forget)
    host = await store.hosts.get(session, router.host_id)
    names = {"instance": instance.name, "host": host.name}
    return await making.add_job(session, job, names, *([] if forget else _drift(instance, router)))


def _drift(instance: Instance, router: Router) -> list[store.events.NewEvent]:
    """What the last look found, if nothing has repaired it yet."""
    drift = instance.route_drift
    if drift is None or "repaired_at" in drift:
        return []
    return [(EventType.ROUTE_DRIFTED, {"router": router.name, **drift})]


async def _left(session: AsyncSession, instance: Instance, job_id: UUID | None) -> Router | None:
    """The router that the repeated job was to make forget the instance, which has another now.

    Raises Conflict when it is gone.
    """
    params = (await store.jobs.get(session, job_id)).params if job_id else {}
    if not params.get("forget") or params["router"] == str(instance.router_id):
        return None
    try:
        return await store.routers.get(session, UUID(params["router"]))
    except NotFound as error:
        raise Conflict(
            f"The router that job {job_id} was about is gone.", hint="liftlock routers list"
        ) from error


def _new_job(instance: Instance, router: Router, terms: Terms, *, forget: bool) -> Job:
    params = {"router": str(router.id), "forget": True} if forget else {}
    return making.new_job(
        JobKind.ROUTE,
        terms,
        instance_id=instance.id,
        host_id=router.host_id,
        recipe_id=instance.recipe_id,
        params={"instance": instance.name, **params},
    )
