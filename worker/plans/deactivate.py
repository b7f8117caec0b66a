"""Deactivate: an app server goes out of service and goes on running; the others stay."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.domain.job import JobKind
from worker.plans import parts
from worker.plans.deployment import Deployment
from worker.plans.plan import Plan
from worker.plans.traffic import Traffic
from worker.steps import service
from worker.steps.step import Step


@dataclass(frozen=True, kw_only=True)
class DeactivateRequest:
    """Everything the plan depends on."""

    target: Deployment
    #: Those in service before; the target may be among them.
    before: tuple[Deployment, ...]
    #: None: the instance has no router. Its route has the upstreams that stay.
    traffic: Traffic | None = None
    #: The name of the job's own host.
    own_host: str
    route_version: int
    #: Seconds that the app server's connections have to end.
    drain: float = 30.0
    #: Somebody states that it is gone: no host is asked, and the router is told by a later job.
    gone: bool = False

    @property
    def rest(self) -> tuple[Deployment, ...]:
        return tuple(one for one in self.before if one.id != self.target.id)


def plan(request: DeactivateRequest) -> Plan:
    """The background parts stop last: until then requests may give them work."""
    own, target, traffic = request.own_host, request.target, request.traffic
    if request.gone:
        return Plan(JobKind.DEACTIVATE, (_note(request),))
    steps: list[Step] = []
    if traffic:
        steps += [traffic.find(), traffic.wanted(), *traffic.turn()]
        steps += [traffic.ask(one) for one in request.rest[:1]]
    steps += [_note(request), *_current(request)]
    if traffic:
        steps.append(parts.drained(target, request.drain, own))
    # No other parts start in their place: where they cannot be told, the app server still leaves.
    steps += [replace(step, harmless=True) for step in parts.stop_background(target, own)]
    return Plan(
        JobKind.DEACTIVATE, tuple(steps), on_failure=tuple(_shown(request)), hint=target.hint
    )


def _note(request: DeactivateRequest) -> Step:
    back = request.traffic.back.version if request.traffic else request.route_version
    return parts.in_service(
        f"Record that {request.target.title} is out of service",
        on=request.rest,
        off=[request.target],
        back_on=request.before,
        back_off=[one for one in (request.target,) if one not in request.before],
        versions=(request.route_version, back),
        read_back=not request.gone,
    )


def _current(request: DeactivateRequest) -> Iterator[Step]:
    """`current` leads to a release in service again, where another one is on the same host."""
    target = request.target
    before = [one for one in request.before if one.host_name == target.host_name]
    rest = [one for one in before if one.id != target.id]
    if rest and rest[-1] is not before[-1]:
        yield Step(
            f"current-{rest[-1].number}",
            f"Point `current` at the release of {rest[-1].title}",
            service.link_current(rest[-1].site),
            undo=service.link_current(target.site),
            at=target.at(request.own_host),
            dispensable=True,
            harmless=True,
        )


def _shown(request: DeactivateRequest) -> Iterator[Step]:
    """Through the router the others answered wrongly, or the target's background did not stop."""
    for one in (*request.rest, request.target):
        yield parts.log(one, request.own_host)
