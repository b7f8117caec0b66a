"""From the rows of a job to the request that its plan is compiled from."""

from collections.abc import Callable, Mapping

from app.domain.asset_release import AssetPlace
from app.domain.job import EXTENDING, JobKind
from app.models import Machine
from app.services.facts import ExtendFacts, ProvisionFacts, RouteFacts
from app.services.work import Standing, Work
from worker.jobs.standing import deployment_of, deployments_of, traffic_of
from worker.plans import (
    activate,
    deactivate,
    enroll,
    extend,
    inspect,
    provision,
    route,
    terminate,
)
from worker.plans.building import Building
from worker.plans.plan import Plan
from worker.steps.machine import CreateMachine, DestroyMachine


def plan_of(work: Work, asset_place: AssetPlace | None = None, *, health_gate: bool = True) -> Plan:
    """The steps of the job; pure but for reading the rows."""
    kind = work.job.kind
    if kind is JobKind.ACTIVATE:
        return activate.plan(_activate(work, asset_place, health_gate=health_gate))
    return _PLANS[kind](work, asset_place)


def _enroll(_: Work, __: AssetPlace | None) -> Plan:
    return enroll.plan()


def _provision(work: Work, asset_place: AssetPlace | None) -> Plan:
    instance, recipe, app_server, facts = work.instance, work.recipe, work.app_server, work.facts
    if instance is None or recipe is None or app_server is None:
        raise ValueError(f"Job {work.job.id} is a provision without an instance.")
    if not isinstance(facts, ProvisionFacts):
        raise TypeError(f"Job {work.job.id} is a provision without facts.")
    own = Standing(app_server, work.host, work.jumps, recipe)
    # The commit is found while it runs: another attempt has to make the same plan.
    known = {**vars(deployment_of(work, own, asset_place)), "commit": ""}
    request = provision.ProvisionRequest(
        **known,
        repository=instance.repository,
        prepared=facts.prepared,
        participants_created=facts.participants_created,
        others_running=facts.others_running,
        machine=CreateMachine(made.provider, made.tag)
        if (made := machine_made_for(work))
        else None,
    )
    return provision.plan(request)


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


def _deactivate(work: Work, asset_place: AssetPlace | None) -> Plan:
    (target,) = deployments_of(work, work.targets, asset_place)
    before = deployments_of(work, work.before, asset_place)
    rest = [one for one in before if one.id != target.id]
    request = deactivate.DeactivateRequest(
        target=target,
        before=before,
        traffic=traffic_of(work, rest, back=before),
        own_host=work.host.name,
        route_version=_route_facts(work).route_version,
        drain=float(work.job.params["drain"]),
        gone=bool(work.job.params.get("gone")),
    )
    return deactivate.plan(request)


def _terminate(work: Work, asset_place: AssetPlace | None) -> Plan:
    (target,) = work.targets
    request = terminate.TerminateRequest(
        target=deployment_of(work, target, asset_place),
        own_host=work.host.name,
        machine=DestroyMachine(made.provider, made.tag) if (made := work.machine) else None,
        gone=bool(work.job.params.get("gone")),
    )
    return terminate.plan(request)


def _route(work: Work, asset_place: AssetPlace | None) -> Plan:
    active = deployments_of(work, work.before, asset_place)
    traffic = traffic_of(work, active, back=active)
    if work.instance is None or traffic is None:
        raise ValueError(f"Job {work.job.id} is for a router, and there is none.")
    request = route.RouteRequest(
        instance=work.instance.name,
        traffic=traffic,
        active=active,
        forget=bool(work.job.params.get("forget")),
    )
    return route.plan(request)


def _inspect(work: Work, asset_place: AssetPlace | None) -> Plan:
    serving = deployments_of(work, work.before, asset_place)
    return inspect.plan(inspect.InspectRequest(serving=serving, own_host=work.host.name))


def _extend(work: Work, asset_place: AssetPlace | None) -> Plan:
    facts, instance = work.facts, work.instance
    if instance is None or not isinstance(facts, ExtendFacts):
        raise TypeError(f"Job {work.job.id} is a {work.job.kind} without facts.")
    olds = {one.id: one for one in deployments_of(work, work.before, asset_place)}
    pairs = [
        extend.Successor(
            new=Building(
                **vars(deployment_of(work, new, asset_place)), repository=instance.repository
            ),
            old=olds[place.old],
        )
        for place, new in zip(facts.places, work.targets, strict=True)
    ]
    traffic = traffic_of(work, [pair.new for pair in pairs], back=olds.values())
    request = extend.ExtendRequest(
        kind=work.job.kind,
        subject=facts.subject,
        change=facts.change,
        have=facts.have,
        pairs=tuple(pairs),
        in_service=facts.in_service,
        traffic=traffic if facts.in_service else None,
        own_host=work.host.name,
        route_version=facts.route_version,
        drain=float(work.job.params["drain"]),
        watch=float(work.job.params["watch"]),
        by_stamp=facts.by_stamp,
    )
    return extend.plan(request)


def _route_facts(work: Work) -> RouteFacts:
    if not isinstance(work.facts, RouteFacts):
        raise TypeError(f"Job {work.job.id} is a {work.job.kind} without facts.")
    return work.facts


_PLANS: Mapping[JobKind, Callable[[Work, AssetPlace | None], Plan]] = {
    JobKind.ENROLL: _enroll,
    JobKind.PROVISION: _provision,
    JobKind.DEACTIVATE: _deactivate,
    JobKind.TERMINATE: _terminate,
    JobKind.ROUTE: _route,
    JobKind.INSPECT: _inspect,
    **dict.fromkeys(EXTENDING, _extend),
}
