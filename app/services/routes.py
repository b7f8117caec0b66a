"""What an instance wants of a router: which one, for which domain, with which certificate."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.instance_spec import InstanceSpec, TlsSpec
from app.domain.router import CannotRoute, Route, Tls, check
from app.errors import AlreadyExists, FieldError, InUse, Invalid, NotFound
from app.models import Instance, Job, Router
from app.models.base import utc_now
from app.services import routing
from app.services.job_request import Terms


async def want(
    session: AsyncSession, instance: Instance, spec: InstanceSpec, terms: Terms
) -> Job | None:
    """Write it into the instance; the job that makes its router of before forget it, if it must.

    Call with the instance locked. Raises Invalid with pointers for what the router cannot do,
    AlreadyExists for a domain that another instance has there, and InUse for another router while
    app servers are in service.
    """
    wanted = await _router(session, spec.router)
    if wanted is not None:
        _check_capable(wanted, spec)
        await _check_domain(session, wanted, instance, spec.domain)
    before = instance.router_id, instance.domain, TlsSpec.model_validate(instance.tls)
    leaving = await _leave(session, instance, wanted.id if wanted else None, terms)
    instance.router_id = wanted.id if wanted else None
    instance.domain, instance.tls = spec.domain, spec.tls.model_dump(mode="json", exclude_none=True)
    if wanted is not None and before != (wanted.id, spec.domain, spec.tls):
        instance.route_version += store.routes.WISH
        instance.route_behind_since = instance.route_behind_since or utc_now()
    return leaving


async def _leave(
    session: AsyncSession, instance: Instance, wanted: UUID | None, terms: Terms
) -> Job | None:
    """Before another router, or none: nothing is in service, and the one of before forgets it."""
    if wanted == instance.router_id:
        return None
    active = await store.app_servers.list_active(session, instance.id)
    if active:
        raise InUse(
            f"Instance {instance.name} keeps its router while app servers are in service:"
            f" {', '.join(row.name for row in active)}.",
            hint="Take them out of service first: liftlock app-servers deactivate"
            f" {instance.name}:{active[0].number}",
        )
    jobs = await store.routers.open_jobs_of_instance(session, instance.id)
    if jobs:
        raise InUse(
            f"Instance {instance.name} keeps its router while {jobs} unfinished job(s) are about"
            " to tell it something.",
            hint=f"Wait for them: liftlock jobs list --instance {instance.name}",
        )
    if wanted is not None:
        # It may still have had to forget the instance, which it is told of anew.
        await store.dirty_routes.forget(session, wanted, instance.id)
    instance.route_behind_since = instance.route_drift = None
    applied, instance.route_applied = instance.route_applied, 0
    told = applied > 0 or await store.dirty_routes.was_told(session, instance.id)
    if instance.router_id is None or not told:
        return None
    await store.dirty_routes.leave(session, instance.router_id, instance.id)
    router = await store.routers.get(session, instance.router_id)
    return await routing.make(session, instance=instance, router=router, terms=terms, forget=True)


async def _router(session: AsyncSession, name: str | None) -> Router | None:
    if name is None:
        return None
    try:
        return await store.routers.hold(session, name)
    except NotFound as error:
        hint = "List them: liftlock routers list"
        raise Invalid(errors=(FieldError("/router", error.detail),), hint=hint) from None


def _check_capable(router: Router, spec: InstanceSpec) -> None:
    try:
        check(router.kind, Route(spec.name, spec.domain or "", Tls(spec.tls.mode)))
    except CannotRoute as error:
        raise Invalid(
            code="router-incapable",
            errors=(FieldError("/tls/mode", str(error)),),
            hint="Choose another router, or do without: docs/routers.md",
        ) from None


async def _check_domain(
    session: AsyncSession, router: Router, instance: Instance, domain: str | None
) -> None:
    other = await store.routers.find_domain(session, router.id, domain, besides=instance.id)
    if other is not None:
        what = f"domain {domain}" if domain else "every domain that no other instance has"
        raise AlreadyExists(
            f"On router {router.name} instance {other} has {what} already.",
            hint=f"Give each its own: liftlock instances set {instance.name} --domain DOMAIN",
        )
