"""Activate: a set of app servers goes into service, and the set before it out of service."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from app.domain.job import JobKind
from worker.plans import parts
from worker.plans.deployment import Deployment
from worker.plans.plan import Plan
from worker.plans.traffic import Traffic, dead, watched
from worker.steps import service
from worker.steps.step import Stay, Step, Watch


@dataclass(frozen=True, kw_only=True)
class ActivateRequest:
    """Everything the plan depends on."""

    #: The app servers that are in service afterwards, by number; at least one.
    targets: tuple[Deployment, ...]
    #: Those in service before.
    before: tuple[Deployment, ...] = ()
    #: None: the instance has no router, and nobody passes requests on.
    traffic: Traffic | None = None
    #: The name of the job's own host.
    own_host: str
    route_version: int
    #: Seconds that the connections of the old ones have to end.
    drain: float = 30.0
    #: Seconds for which the site is watched after the switch.
    watch: float = 60.0
    #: How the new ones take over the ports of the old ones, where they have none of their own.
    handover: tuple[Step, ...] = ()
    #: Whether app servers are asked before requests reach them; only a benchmark says no.
    health_gate: bool = True

    @property
    def new(self) -> tuple[Deployment, ...]:
        return without(self.targets, self.before)

    @property
    def old(self) -> tuple[Deployment, ...]:
        return without(self.before, self.targets)

    @property
    def again(self) -> tuple[Deployment, ...]:
        """Whose background parts stop and start anew: all, when just those in service are asked
        for. After a way back that failed, nobody knows which of their parts run.

        Where some come or go, those that stay go on undisturbed.
        """
        return () if self.new or self.old else self.targets

    @property
    def way_back(self) -> tuple[Deployment, ...]:
        """Those to whom visitors would be turned back, if nobody else is among them; where one
        stays, that one answers anyway.
        """
        return self.old if self.watch and len(self.old) == len(self.before) else ()

    @property
    def overlap(self) -> bool:
        """Whether background parts of old and new may run at a time: if all of them say so."""
        sections = [one.recipe.background for one in (*self.old, *self.new)]
        return all(section.overlap for section in sections if section)


def without(some: Iterable[Deployment], others: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """By id: the same app server may stand in both."""
    ids = {other.id for other in others}
    return tuple(one for one in some if one.id not in ids)


def plan(request: ActivateRequest) -> Plan:
    """The whole activation, as steps."""
    own, traffic = request.own_host, request.traffic
    looks = [traffic.find()] if traffic else []
    gate = list(_gate(request)) if request.health_gate else []
    return Plan(
        JobKind.ACTIVATE,
        (*looks, *gate, *turn(request)),
        on_failure=tuple(parts.log(one, own) for one in request.targets),
        # A router that is missing says nothing about the app servers.
        diagnose_from=len(looks) + 1,
        hint=request.targets[0].hint,
    )


def turn(request: ActivateRequest) -> Iterator[Step]:
    """From the first thing that a visitor could notice to the last look."""
    traffic = request.traffic
    yield from _before(request)
    if traffic:
        yield from traffic.turn()
        yield traffic.ask(request.targets[0])
    yield _note(request)
    yield from _current(request)
    if traffic:
        for one in request.old:
            yield parts.drained(one, request.drain, request.own_host)
    yield from _after(request)
    if request.watch:
        yield from _watch(request)


def _gate(request: ActivateRequest) -> Iterator[Step]:
    """Nothing is switched to an app server that does not answer by itself."""
    for one in request.targets:
        title = f"Ask {one.title} itself for {one.check.path}"
        yield Step(
            f"health-{one.number}", title, one.check, again=True, at=one.at(request.own_host)
        )
        if request.traffic and one.host_name != request.traffic.host_name:
            yield request.traffic.reach(one)
    if request.traffic:
        for one in request.way_back:
            yield request.traffic.still_serves(one)


def _before(request: ActivateRequest) -> Iterator[Step]:
    own = request.own_host
    if request.traffic:
        yield request.traffic.wanted()
    if not request.overlap:
        for one in request.old:
            yield from parts.stop_background(one, own)
    for one in request.again:
        yield from parts.stop_background(one, own)
    yield from request.handover
    for one in (*request.new, *request.again):
        yield from parts.start_background(one, own)


def _after(request: ActivateRequest) -> Iterator[Step]:
    if request.overlap:
        for one in request.old:
            yield from parts.stop_background(one, request.own_host)


def _note(request: ActivateRequest) -> Step:
    back = request.traffic.back.version if request.traffic else request.route_version
    return parts.in_service(
        f"Record what serves now: {parts.titles(request.targets)}",
        on=request.targets,
        off=request.old,
        back_off=request.new,
        back_on=request.before,
        versions=(request.route_version, back),
    )


def _current(request: ActivateRequest) -> Iterator[Step]:
    """`current` on each host leads to a release in service: the one with the highest number."""
    before = {one.host_name: one for one in request.before}
    for host, one in {one.host_name: one for one in request.targets}.items():
        old = before.get(host)
        yield Step(
            f"current-{one.number}",
            f"Point `current` at the release of {one.title}",
            service.link_current(one.site),
            undo=service.link_current(old.site) if old else service.unlink_current(one.site),
            at=one.at(request.own_host),
        )


def _watch(request: ActivateRequest) -> Iterator[Step]:
    if request.traffic:
        watch = request.traffic.watch(request.targets, request.watch)
        yield replace(watch, stay=_stay(request))
        return
    for one in request.targets:
        title = f"Watch {one.title} for {request.watch:g} s"
        watching = Watch(watched(one), request.watch)
        yield Step(f"watch-{one.number}", title, watching, at=one.at(request.own_host))


def _stay(request: ActivateRequest) -> Stay | None:
    """Visitors are not sent from a site that is half broken to one that does not answer at all."""
    old, new = request.way_back, request.targets[0]
    if not old or not request.health_gate:
        return None
    why = (
        f"Nothing was turned back, as {parts.titles(old)} did not answer before the switch either:"
        f" {parts.titles(request.targets)} stays in service."
    )
    hint = (
        f"Mend the site, and release it: liftlock provision {new.instance} --activate. Or go back"
        f" to another one that runs: liftlock app-servers list {new.instance}"
    )
    return Stay(tuple(dead(one) for one in old), why, hint)
