"""From the rows of a job to the request that its plan is compiled from."""

from app.domain.asset_release import AssetPlace
from app.domain.job import JobKind
from app.models import Machine
from app.services.facts import ProvisionFacts, RouteFacts
from app.services.work import Standing, Work
from worker.jobs.standing import deployment_of, deployments_of, traffic_of
from worker.plans import activate, deactivate, enroll, provision, route, terminate
from worker.plans.plan import Plan
from worker.steps.machine import CreateMachine, DestroyMachine


def plan_of(work: Work, asset_place: AssetPlace | None = None, *, health_gate: bool = True) -> Plan:
    """The steps of the job; pure but for reading the rows."""
    match work.job.kind:
        case JobKind.ENROLL:
            return enroll.plan()
        case JobKind.PROVISION:
            return provision.plan(_provision(work, asset_place))
        case JobKind.ACTIVATE:
            return activate.plan(_activate(work, asset_place, health_gate=health_gate))
        case JobKind.DEACTIVATE:
            return deactivate.plan(_deactivate(work, asset_place))
        case JobKind.TERMINATE:
            return terminate.plan(_terminate(work, asset_place))
        case JobKind.ROUTE:
            return route.plan(_route(work, asset_place))


def _provision(work: Work, asset_place: AssetPlace | None) -> provision.ProvisionRequest:
    instance, recipe, app_server, facts = work.instance, work.recipe, work.app_server, work.facts
    if instance is None or recipe is None or app_server is None:
        raise ValueError(f"Job {work.job.id} is a provision without an instance.")
    if not isinstance(facts, ProvisionFacts):
        raise TypeError(f"Job {work.job.id} is a provision without facts.")
    own = Standing(app_server, work.host, work.jumps, recipe)
    # The commit is found while it runs: another attempt has to make the same plan.
    known = {**vars(deployment_of(work, own, asset_place)), "commit": ""}
    return provision.ProvisionRequest(
        **known,
        repository=instance.repository,
        prepared=facts.prepared,
        participants_created=facts.participants_created,
        others_running=facts.others_running,
        machine=CreateMachine(made.provider, made.tag)
        if (made := machine_made_for(work))
        else None,
    )


def machine_made_for(work: Work) -> Machine | None:
    """That the job makes, and removes when it is stopped; None for a later job on its host."""
    is_own = work.job.kind is JobKind.PROVISION and "provider" in work.job.params
    return work.machine if is_own else None


def _activate(
    work: Work, asset_place: AssetPlace | None, *, health_gate: bool
) -> activate.ActivateRequest:
    targets = deployments_of(work, work.targets, asset_place)
    before = deployments_of(work, work.before, asset_place)
    params = work.job.params
    return activate.ActivateRequest(
        targets=targets,
        before=before,
        traffic=traffic_of(work, targets, back=before, hold=float(params.get("hold") or 0)),
        own_host=work.host.name,
        route_version=_route_facts(work).route_version,
        drain=float(params["drain"]),
        watch=float(params["watch"]),
        health_gate=health_gate,
    )


def _deactivate(work: Work, asset_place: AssetPlace | None) -> deactivate.DeactivateRequest:
    (target,) = deployments_of(work, work.targets, asset_place)
    before = deployments_of(work, work.before, asset_place)
    rest = [one for one in before if one.id != target.id]
    return deactivate.DeactivateRequest(
        target=target,
        before=before,
        traffic=traffic_of(work, rest, back=before),
        own_host=work.host.name,
        route_version=_route_facts(work).route_version,
        drain=float(work.job.params["drain"]),
        gone=bool(work.job.params.get("gone")),
    )


def _terminate(work: Work, asset_place: AssetPlace | None) -> terminate.TerminateRequest:
    (target,) = work.targets
    return terminate.TerminateRequest(
        target=deployment_of(work, target, asset_place),
        own_host=work.host.name,
        machine=DestroyMachine(made.provider, made.tag) if (made := work.machine) else None,
        gone=bool(work.job.params.get("gone")),
    )


def _route(work: Work, asset_place: AssetPlace | None) -> route.RouteRequest:
    active = deployments_of(work, work.before, asset_place)
    traffic = traffic_of(work, active, back=active)
    if work.instance is None or traffic is None:
        raise ValueError(f"Job {work.job.id} is for a router, and there is none.")
    return route.RouteRequest(
        instance=work.instance.name,
        traffic=traffic,
        active=active,
        forget=bool(work.job.params.get("forget")),
    )


def _route_facts(work: Work) -> RouteFacts:
    if not isinstance(work.facts, RouteFacts):
        raise TypeError(f"Job {work.job.id} is a {work.job.kind} without facts.")
    return work.facts
