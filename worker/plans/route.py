"""Route: an instance's router is brought to what is wanted of it; who serves does not change."""

from dataclasses import dataclass

from app.domain.job import JobKind
from worker.plans.deployment import Deployment
from worker.plans.plan import Plan
from worker.plans.traffic import Traffic
from worker.steps.step import Note, Step


@dataclass(frozen=True, kw_only=True)
class RouteRequest:
    """Everything the plan depends on."""

    instance: str
    traffic: Traffic
    #: The app servers in service.
    active: tuple[Deployment, ...] = ()
    #: Whether the route is to go, since the instance has another router now, or none.
    forget: bool = False


def plan(request: RouteRequest) -> Plan:
    """Each step may be repeated, and nothing is undone: what is wanted is what is recorded."""
    traffic = request.traffic
    if request.forget:
        title = f"Remove the route of {request.instance}"
        removal = Step("router-forget", title, traffic.router.forget(request.instance))
        title = f"Record that {traffic.name} has forgotten {request.instance}"
        steps = [traffic.find(), removal, Step("record-forgotten", title, Note("route.forgotten"))]
    else:
        asked = [traffic.ask(one) for one in request.active[:1]]
        turned = [
            traffic.configure(),
            *traffic.certificate(),
            traffic.switch(),
            traffic.read_back(),
        ]
        steps = [traffic.find(), traffic.look(), *turned, *asked, traffic.applied()]
    hint = f"See how the router is set: liftlock routers show {traffic.name}"
    return Plan(JobKind.ROUTE, tuple(steps), hint=hint)
