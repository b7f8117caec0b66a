"""A machine burnt, with the router and what it served: the commands of docs/operations.md."""

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.job import JobKind, JobStatus
from app.domain.machine import MachineStatus
from app.errors import InUse
from app.models import Machine
from app.services.job_request import Terms
from tests.support import deployments, factories
from tests.support.deployments import active_numbers, ask, claim, jobs_of, succeed, switch

GONE = {"app_server": "shop:1", "gone": True, "reason": "web-1 burnt"}
AWAY = {"code": "host-unreachable", "title": "t", "detail": "d"}


@pytest.fixture
async def burnt(db, queue, vault):
    """The shop served from the host of its router; another host has another router."""
    await deployments.add_routed_site(db)
    await deployments.serve(db, queue, vault)
    beta = await factories.add_host(db, name="beta", capacity=20)
    await factories.add_router(db, beta, name="edge-2")
    await deployments.execute(db, "UPDATE instances SET host_id = $1", beta.id)


@pytest.fixture
def deactivate(db, queue, vault):
    async def state():
        taken = await claim(
            db, (await factories.request(db, queue, vault, kind=JobKind.DEACTIVATE, **GONE)).job
        )
        [target] = taken.work.targets
        await services.activation.activate(
            db,
            taken.job,
            on=(),
            off=[target.app_server.id],
            route_version=taken.work.facts.route_version,
            read_back=False,
        )
        await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)

    return state


@pytest.fixture
def terminate(db, queue, vault):
    async def state():
        taken = await claim(
            db, (await factories.request(db, queue, vault, kind=JobKind.TERMINATE, **GONE)).job
        )
        [target] = taken.work.targets
        await services.activation.terminated(db, taken.job, target.app_server.id)
        await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)

    return state


@pytest.fixture
def give_another(db, queue, vault):
    async def change():
        patch = {"router": "edge-2"}
        await services.instances.change(
            db, queue, vault, "shop", patch, expected=None, terms=Terms("ann")
        )

    return change


async def _tried(db, queue):
    """A worker sees that the router is behind, and finds its host away."""
    assert await services.dirty_routes.sweep(db, queue) == 1
    [*_, job] = await jobs_of(db, JobKind.ROUTE)
    taken = await claim(db, job)
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=AWAY)


async def _make_machine(db):
    """A provider made the machine that burnt."""
    one = (await deployments.app_servers(db))[0]
    machine = Machine(
        tag="ll-1",
        provider="cloud",
        host_id=one.host_id,
        instance_id=one.instance_id,
        status=MachineStatus.READY,
        wanted={"a": 1},
    )
    async with db.transaction() as session:
        await store.machines.add(session, machine)


@pytest.mark.parametrize("is_made", [False, True])
async def test_another_router_takes_over_from_one_that_is_lost_with_what_served(
    db, queue, vault, burnt, deactivate, terminate, give_another, is_made
):
    if is_made:
        await _make_machine(db)
    await deactivate()
    await _tried(db, queue)
    assert await services.dirty_routes.sweep(db, queue) == 0
    await give_another()
    await services.routers.delete(db, "front", expected=None, gone_by="ann")
    await terminate()
    assert await services.dirty_routes.sweep(db, queue) == 1
    taken = await claim(db, (await jobs_of(db, JobKind.ROUTE))[-1])
    assert taken.work.host.name == "beta"
    await services.activation.apply_route(db, taken.job, taken.work.facts.route_version)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    [job] = await ask(db, queue, vault, activate=True)
    await succeed(db, job)
    await switch(db, (await jobs_of(db, JobKind.ACTIVATE))[-1])
    lost, new = await deployments.app_servers(db)
    assert (lost.status, new.is_active) == (AppServerStatus.TERMINATED, True)
    assert await active_numbers(db) == [2]


async def test_a_router_that_is_lost_with_its_machine_is_said_to_go_first(
    db, burnt, deactivate, terminate
):
    await _make_machine(db)
    await deactivate()
    with pytest.raises(InUse, match="router front") as refused:
        await terminate()
    assert "liftlock routers delete NAME --gone" in refused.value.hint


async def test_a_job_that_tries_the_lost_router_is_in_the_way_until_it_is_canceled(
    db, queue, burnt, deactivate, terminate, give_another
):
    await deactivate()
    await terminate()
    await services.dirty_routes.sweep(db, queue)
    with pytest.raises(InUse, match="1 unfinished job") as refused:
        await give_another()
    assert "liftlock jobs list --instance shop" in refused.value.hint
    [job] = await jobs_of(db, JobKind.ROUTE)
    await services.commands.cancel(db, queue, job.id, actor="ann")
    assert await services.dirty_routes.sweep(db, queue) == 0
    await give_another()
