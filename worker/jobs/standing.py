"""App servers and routers that stand already, from their rows to what plans are told of them."""

from collections.abc import Iterable

from app.domain.asset_release import AssetPlace
from app.domain.extension import Extension
from app.domain.router import Route, Tls, TlsMode
from app.models import Instance
from app.services.facts import RouteFacts
from app.services.work import Standing, Work
from worker.plans.deployment import Deployment
from worker.plans.traffic import Traffic
from worker.routers import router_of


def deployments_of(
    work: Work, some: Iterable[Standing], asset_place: AssetPlace | None
) -> tuple[Deployment, ...]:
    return tuple(deployment_of(work, one, asset_place) for one in some)


def deployment_of(work: Work, one: Standing, asset_place: AssetPlace | None) -> Deployment:
    app_server, host, instance = one.app_server, one.host, instance_of(work)
    return Deployment(
        id=app_server.id,
        number=app_server.number,
        name=app_server.name,
        instance=instance.name,
        revision=app_server.revision,
        commit=app_server.commit or "",
        domain=instance.domain or "",
        recipe=one.recipe,
        environment=app_server.settings,
        secret_names=work.secret_names,
        address=app_server.address,
        port=app_server.port,
        host_name=host.name,
        base_dir=host.base_dir,
        sudo=host.sudo,
        supervisor=host.supervisor,
        supervisor_options=host.supervisor_options,
        extensions=tuple(Extension.from_document(each) for each in app_server.extensions),
        asset_place=asset_place,
    )


def traffic_of(
    work: Work, upstreams: Iterable[Deployment], *, back: Iterable[Deployment], hold: float = 0
) -> Traffic | None:
    """The version behind the job's own is for the way back. None without a router."""
    if work.routed is None:
        return None
    router, host, instance = work.routed.router, work.routed.host, instance_of(work)
    version = work.facts.route_version if isinstance(work.facts, RouteFacts) else 0

    def route(some: Iterable[Deployment], number: int) -> Route:
        tls = tls_of(instance)
        addresses = tuple(one.upstream for one in some)
        return Route(instance.name, instance.domain or "", tls, addresses, number, hold)

    return Traffic(
        router=router_of(router.kind, router.options, sudo=host.sudo),
        name=router.name,
        host_name=host.name,
        at="" if host.id == work.host.id else host.name,
        route=route(upstreams, version),
        back=route(back, version + 1),
    )


def tls_of(instance: Instance) -> Tls:
    wanted = instance.tls
    mode = TlsMode(wanted.get("mode") or TlsMode.OFF)
    return Tls(mode, wanted.get("certificate") or "", wanted.get("key") or "")


def instance_of(work: Work) -> Instance:
    if work.instance is None:
        raise ValueError(f"Job {work.job.id} is a {work.job.kind} without an instance.")
    return work.instance
