"""What must be true of app servers before they go into service, out of it, or away.

It is checked when a job is asked for, and again when a worker takes it.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.host import HostStatus
from app.domain.job import FINAL
from app.domain.router import CannotRoute, Route, Tls, TlsMode
from app.domain.router import check as check_route
from app.errors import Conflict, Invalid, NotFound
from app.models import AppServer, Host, Instance, Router


async def check(
    session: AsyncSession, instance: Instance, app_servers: Sequence[AppServer], *, partial: bool
) -> None:
    """Whether these can serve; nothing is locked here.

    Raises Conflict for one that does not run, for fewer than the instance wants unless `partial`,
    and for one that the router cannot reach; Invalid for what the router cannot do.
    """
    for app_server in app_servers:
        _check_running(instance, app_server)
    if len(app_servers) < instance.target_count and not partial:
        raise _incomplete(instance, app_servers)
    await check_router(session, instance, app_servers)


async def check_router(
    session: AsyncSession, instance: Instance, app_servers: Sequence[AppServer]
) -> None:
    """Whether the instance's router, if it has one, can pass requests on to these.

    Raises Conflict for one that it cannot reach, and Invalid for what it cannot do.
    """
    if instance.router_id is None:
        return
    router = await store.routers.get(session, instance.router_id)
    check_capable(instance, router)
    for one in app_servers:
        await _check_reach(
            session, router, instance, name=one.name, host_id=one.host_id, address=one.address
        )


async def check_future(session: AsyncSession, instance: Instance, hosts: Sequence[Host]) -> None:
    """The same for app servers that are to be made on these hosts.

    Where those of a host that is not made yet will listen, nobody knows before its provider does.
    """
    if instance.router_id is None:
        return
    router = await store.routers.get(session, instance.router_id)
    check_capable(instance, router)
    for host in hosts:
        if host.status is HostStatus.MAKING:
            continue
        name, address = "An app server", host.site_address
        await _check_reach(session, router, instance, name=name, host_id=host.id, address=address)


def can_serve(app_server: AppServer) -> bool:
    """Whether it runs, as far as anybody knows."""
    return app_server.status is AppServerStatus.RUNNING and app_server.cleaned_at is None


def check_capable(instance: Instance, router: Router) -> None:
    """Raises Invalid for what the instance wants of its router and this kind cannot do."""
    wanted = instance.tls
    tls = Tls(TlsMode(wanted.get("mode", TlsMode.OFF)))
    try:
        check_route(router.kind, Route(instance.name, instance.domain or "", tls))
    except CannotRoute as error:
        raise Invalid(
            f"Router {router.name} of instance {instance.name}: {error}",
            code="router-incapable",
            hint=f"Give it another router: liftlock instances set {instance.name} --router NAME",
        ) from error


def check_active(app_server: AppServer) -> None:
    """Raises Conflict for one that cannot be taken out of service, since it is in none."""
    if not app_server.is_active:
        raise Conflict(
            f"{app_server.name} ({app_server.id}) is not in service: there is nothing to take out.",
            hint=f"See it: liftlock app-servers show {app_server.id}",
        )


async def check_terminable(session: AsyncSession, app_server: AppServer) -> None:
    """Raises Conflict for one that is in service, or still being made."""
    if app_server.is_active:
        raise Conflict(
            f"{app_server.name} ({app_server.id}) is in service and cannot be terminated.",
            code="app-server-active",
            hint="Put another one into service first, or take this one out: liftlock app-servers"
            f" deactivate {app_server.id}",
        )
    job = app_server.job_id
    if not await _has_ended(session, app_server):
        raise Conflict(
            f"{app_server.name} ({app_server.id}) is {app_server.status}: job {job}, which makes"
            " it, has not ended.",
            hint=f"Wait for it: liftlock jobs wait {job}, or stop it: liftlock jobs cancel {job}",
        )


async def check_unrouted(session: AsyncSession, instance: Instance, app_server: AppServer) -> None:
    """Raises Conflict for one that the router may still pass requests on to.

    While it is behind, what it does is not what Postgres says: where it could not be told of the
    way back, visitors go on with what was taken out of service again.
    """
    if instance.router_id is None or instance.route_applied >= instance.route_version:
        return
    if not can_serve(app_server) or not await store.app_servers.may_have_visitors(
        session, app_server
    ):
        return
    router = await store.routers.get(session, instance.router_id)
    raise Conflict(
        f"Router {router.name} is behind with instance {instance.name}: it may still pass requests"
        f" on to {app_server.name} ({app_server.id}).",
        code="app-server-active",
        hint=f"Tell the router first: liftlock routers sync {router.name}. Why it is behind:"
        f" liftlock routers show {router.name}",
    )


async def _has_ended(session: AsyncSession, app_server: AppServer) -> bool:
    try:
        return await store.jobs.status(session, app_server.job_id) in FINAL
    except NotFound:
        return True


def _check_running(instance: Instance, app_server: AppServer) -> None:
    if can_serve(app_server):
        return
    # Its process may be gone, though nobody could move its state.
    is_cleaned = app_server.cleaned_at is not None
    status = AppServerStatus.TERMINATED if is_cleaned else app_server.status
    more = f"Provision another one: liftlock provision {instance.name}"
    if status in {AppServerStatus.FAILED, AppServerStatus.ERROR}:
        hint = f"See why: liftlock jobs logs {app_server.job_id}. {more}"
    elif status is AppServerStatus.TERMINATED:
        hint = more
    else:
        hint = f"Wait until it runs: liftlock jobs wait {app_server.job_id}"
    raise Conflict(
        f"{app_server.name} of instance {instance.name} is {status}: only one that runs can go"
        " into service.",
        code="app-server-unhealthy",
        hint=hint,
    )


def _incomplete(instance: Instance, app_servers: Sequence[AppServer]) -> Conflict:
    named = ", ".join(one.name for one in app_servers)
    return Conflict(
        f"Instance {instance.name} wants {instance.target_count} app servers in service together;"
        f" found {len(app_servers)}: {named}.",
        code="incomplete-set",
        hint="Name all of them, or say that fewer will do: liftlock app-servers activate"
        f" {app_servers[0].id} --partial",
    )


async def _check_reach(
    session: AsyncSession,
    router: Router,
    instance: Instance,
    *,
    name: str,
    host_id: UUID,
    address: str,
) -> None:
    if router.host_id == host_id or not _is_loopback(address):
        return
    names = await store.hosts.names(session, {router.host_id, host_id})
    host = names[host_id]
    raise Conflict(
        f"{name} of instance {instance.name} listens on {address} of host"
        f" {host}; router {router.name} on host {names[router.host_id]} cannot reach it there.",
        code="router-cannot-reach",
        hint=f"Say where sites of that host listen, liftlock hosts set {host} --site-address"
        f" ADDRESS, then provision again: liftlock provision {instance.name}",
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
