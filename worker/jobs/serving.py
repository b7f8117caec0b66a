"""What the site serves when a job has ended: asked as a visitor would, never guessed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.domain.job import EXTENDING, JobKind, ServiceState
from app.domain.recipe_parts import Check
from app.domain.router import TlsMode
from app.models import AppServer
from app.models import Host as HostRow
from app.services.work import Standing, Work
from worker import engine
from worker.jobs.standing import instance_of, tls_of
from worker.remote.errors import RemoteError
from worker.remote.host import Host, HttpAnswer
from worker.routers import router_of

_SWITCHES = frozenset({JobKind.ACTIVATE, JobKind.DEACTIVATE}) | EXTENDING
#: The router's own answer while a site is closed.
_CLOSED = 503


@dataclass(frozen=True)
class _Serving:
    """Who should serve now, and what it is called when it answers as it should."""

    app_server: AppServer
    host: HostRow
    check: Check
    state: ServiceState = ServiceState.SERVING_OLD


async def service_state(
    work: Work, hosts: Callable[[str], Host], outcome: engine.Outcome
) -> ServiceState | None:
    """None for a job without a site."""
    kind, done = work.job.kind, _is_done(outcome)
    if work.instance is None or work.recipe is None:
        return None
    nobody = not work.before and work.older is None
    if kind is JobKind.PROVISION and nobody and not _has_router(work):
        return _of_the_only_one(outcome)
    if kind in _SWITCHES and not done and not outcome.undone and _may_have_moved(work, outcome):
        return ServiceState.UNKNOWN
    serving = _serving(work, done=done and not is_skipped(outcome))
    if serving is None:
        return _of_nobody(work)
    try:
        silent = _is_silent(outcome) or bool(work.job.params.get("gone"))
        return await _answered(work, hosts, serving, silent=silent)
    except RemoteError:
        return ServiceState.UNKNOWN


async def _answered(
    work: Work, hosts: Callable[[str], Host], serving: _Serving, *, silent: bool
) -> ServiceState:
    asked = work.routed.host if work.routed else serving.host
    if silent and asked.id == work.host.id:
        return ServiceState.UNKNOWN
    answer = await _ask(work, hosts(asked.name), serving)
    if answer.status in serving.check.status:
        return serving.state
    closed = work.routed is not None and answer.status == _CLOSED
    return ServiceState.MAINTENANCE if closed else ServiceState.DOWN


def _of_nobody(work: Work) -> ServiceState:
    """Down, unless one runs that was never put into service, on a host that is not the job's."""
    runs = work.older is not None and all(
        work.older.id != one.app_server.id for one in work.targets
    )
    lost = runs and not _has_router(work) and work.job.kind is not JobKind.DEACTIVATE
    return ServiceState.UNKNOWN if lost else ServiceState.DOWN


def _serving(work: Work, *, done: bool) -> _Serving | None:
    """One of those in service; None when nobody is, or where it is cannot be asked."""
    kind, targets = work.job.kind, {one.app_server.id for one in work.targets}
    if (kind is JobKind.ACTIVATE or kind in EXTENDING) and done and work.targets:
        return _first(work.targets, ServiceState.SERVING_NEW)
    if kind is JobKind.DEACTIVATE and done:
        return _first(one for one in work.before if one.app_server.id not in targets)
    older, recipe = work.older, work.recipe
    if work.before or _has_router(work) or older is None or recipe is None:
        return _first(work.before)
    # Nothing was ever put into service: visitors come to the one that runs, by its own port.
    near = older.host_id == work.host.id and older.id not in targets
    return _Serving(older, work.host, recipe.check) if near else None


def _first(
    some: Iterable[Standing], state: ServiceState = ServiceState.SERVING_OLD
) -> _Serving | None:
    one = next(iter(some), None)
    return _Serving(one.app_server, one.host, one.recipe.check, state) if one else None


async def _ask(work: Work, host: Host, serving: _Serving) -> HttpAnswer:
    """Through the router, by the site's name; without one at the app server itself."""
    check, app_server = serving.check, serving.app_server
    path = check.path_for(app_server.settings)
    if work.routed is None:
        return await host.http_get(
            app_server.port, path, timeout=check.timeout, address=app_server.address
        )
    instance, routed = instance_of(work), work.routed
    router = router_of(routed.router.kind, routed.router.options, sudo=routed.host.sudo)
    tls = tls_of(instance).mode is not TlsMode.OFF
    return await host.http_get(
        router.tls_port if tls else router.plain_port,
        path,
        timeout=check.timeout,
        address=router.address,
        name=instance.domain or "",
        tls=tls,
    )


def _has_router(work: Work) -> bool:
    """Then visitors come to those in service, and to nobody else."""
    return work.routed is not None or instance_of(work).router_id is not None


def _may_have_moved(work: Work, outcome: engine.Outcome) -> bool:
    """A router that was not even configured passes requests on as before."""
    return work.routed is None or "reloaded" in outcome.facts


def _is_done(outcome: engine.Outcome) -> bool:
    ended_well = outcome.error is None and outcome.unproven is None and outcome.stopped is None
    return ended_well or outcome.stands


def is_skipped(outcome: engine.Outcome) -> bool:
    """A change of extensions for which every stamp said that it was done."""
    found = [value for name, value in outcome.facts.items() if name.startswith("installed_")]
    return bool(found) and all(value == "yes" for value in found)


def _is_silent(outcome: engine.Outcome) -> bool:
    problem = outcome.unproven or outcome.error
    return problem is not None and problem.code in engine.SILENT


def _of_the_only_one(outcome: engine.Outcome) -> ServiceState:
    """The plan's check has just answered, or the undo saw that its processes are gone."""
    if _is_done(outcome):
        return ServiceState.SERVING_NEW
    seen = outcome.undone and not _is_silent(outcome)
    return ServiceState.DOWN if seen else ServiceState.UNKNOWN
