"""The look at routers, every few minutes: does each still do what was read back from it?

Only what differs becomes a job. The look is none: it changes nothing on the host but a scratch file
of the route, under the same lock on the host as every command about routes, so it needs no lock
here, leaves no row behind, and costs a router of a hundred instances no hundred jobs.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog

from app import services
from app.domain.router import CannotRoute, Route
from app.models import Instance
from app.models.base import new_id
from app.services.router_looks import Look
from worker.jobs.connect import open_hosts, through
from worker.jobs.runtime import Runtime
from worker.jobs.standing import tls_of
from worker.remote.errors import RemoteError
from worker.remote.host import Host
from worker.routers import router_of
from worker.steps.routing import Router

#: Seconds for one instance, and for a router with all that it has.
ONE, MOST = 30.0, 180.0
#: Of a command that reads back: the router is not as it should be.
_DRIFTED = 64

log = structlog.get_logger()


class _Unasked(Exception):
    """What the router does cannot be told; the text is a sentence."""


async def sweep_routers(runtime: Runtime, every: timedelta) -> None:
    """Look at the routers whose turn it is, one after the other. Several workers may."""
    while not runtime.draining():
        look = await services.router_looks.begin(runtime.db, every)
        if look is None:
            return
        await _look(runtime, look)


async def _look(runtime: Runtime, look: Look) -> None:
    drifts: dict[UUID, str] = {}
    error = None
    try:
        async with asyncio.timeout(MOST):
            await _ask(runtime, look, drifts)
    except (_Unasked, RemoteError, CannotRoute) as problem:
        error = str(problem)
    except TimeoutError:
        error = f"It took more than {MOST:g} s."
    name = look.routed.router.name
    if error is not None:
        log.warning("router.unseen", router=name, reason=error)
    for instance in await services.router_looks.end(runtime.db, look, drifts=drifts, error=error):
        log.warning("router.drifted", router=name, instance=instance)


async def _ask(runtime: Runtime, look: Look, drifts: dict[UUID, str]) -> None:
    """What is not as it should be, by instance; what was found stays found when the rest fails."""
    routed = look.routed
    if routed.host.host_key is None:
        raise _Unasked(f"Host {routed.host.name} is not enrolled.")
    host = (await open_hosts(runtime)).host(through(routed.host, routed.jumps))
    router = router_of(routed.router.kind, routed.router.options, sudo=routed.host.sudo)
    for one in look.wanted:
        found = await _read_back(host, router, one.instance, one.upstreams)
        if found is not None:
            drifts[one.instance.id] = found


async def _read_back(
    host: Host, router: Router, instance: Instance, upstreams: tuple[str, ...]
) -> str | None:
    """What was found and what was wanted, when they differ."""
    said: list[str] = []

    async def hear(text: str) -> None:
        said.append(text)

    name = f"look-{new_id()}"
    route = Route(instance.name, instance.domain or "", tls_of(instance), upstreams)
    command = replace(router.read_back(route), timeout=ONE)
    code = await host.run(command, name=name, secrets={}, output=hear)
    with suppress(RemoteError):
        await host.clean(name)
    last = "".join(said).strip().rpartition("\n")[2]
    if code == 0:
        return None
    if code == _DRIFTED:
        return last
    title = failure.title if (failure := command.failures.get(code)) else "It cannot be read back"
    raise _Unasked(f"{title}: {last or f'exit code {code}'}")
