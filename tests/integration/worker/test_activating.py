"""Activation from claim to end: real app servers behind a real Caddy, on a host reached by SSH."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from app import services
from app.domain.job import JobKind, JobStatus, Outcome, ServiceState
from tests.integration.worker.conftest import diary
from tests.support import factories
from tests.support.deployments import jobs_of
from tests.support.told import told
from worker.jobs.run_job import run_job

pytestmark = pytest.mark.timeout(180)


async def _turned_back(db, job):
    """How long after it was certain that the site is broken."""
    times = {
        (event.type, event.data.get("step")): event.at
        for event in await factories.events(db, job.id)
    }
    return times["step.undone", "router-switch"] - times["step.failed", "watch"]


async def _job(db, job_id):
    return (await services.jobs.get(db, UUID(str(job_id)))).job


async def _unwatched(db, job_id):
    """Its params, with nothing to watch and nobody to drain."""
    return {**(await _job(db, job_id)).params, "watch": 0, "drain": 0}


async def kill(machine, number):
    """The process of an app server, from outside."""
    runner = next(machine.base.glob("runner/*.sh"))
    folder = machine.base / f"apps/shop/run/{number}"
    process = await asyncio.create_subprocess_exec("sh", runner, "stop", folder, "1")
    assert await process.wait() == 0


async def test_the_first_activation_puts_an_app_server_into_service(standing, serving, active):
    job = await standing(1)
    assert (job.outcome, job.service_state) == (Outcome.CHANGED, ServiceState.SERVING_NEW)
    assert (await serving(), await active()) == (1, [1])


async def test_a_later_set_takes_the_place_of_the_one_before(
    carried_out, standing, serving, active, machine
):
    await standing(2)
    job = await carried_out(JobKind.ACTIVATE, app_servers=("shop:2",), watch=1, drain=1)
    assert job.status is JobStatus.SUCCEEDED, job.error
    assert (await serving(), await active()) == (2, [2])
    assert diary(machine) == ["start 1", "stop 1", "start 2"]
    assert (machine.base / "apps/shop/current").readlink().name.endswith("-2")


async def test_an_older_app_server_is_activated_to_roll_back(
    carried_out, standing, serving, active, machine
):
    await standing(2)
    for number in (2, 1):
        ref = f"shop:{number}"
        job = await carried_out(JobKind.ACTIVATE, app_servers=(ref,), watch=0, drain=1)
        assert job.service_state is ServiceState.SERVING_NEW
    assert (await serving(), await active()) == (1, [1])
    assert diary(machine)[-2:] == ["stop 2", "start 1"]


async def test_a_site_that_breaks_while_it_is_watched_is_turned_back_by_itself(
    db, queue, vault, ctx, standing, serving, active, machine
):
    await standing(2)
    asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": 60, "drain": 1}
    job = (await factories.request(db, queue, vault, **asked)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await told(db, job, lambda event: event.data.get("step") == "watch")
    assert await serving() == 2
    await kill(machine, 2)
    await running
    assert await _turned_back(db, job) < timedelta(seconds=10)
    ended = (await services.jobs.get(db, job.id)).job
    assert (ended.status, ended.error["code"]) == (JobStatus.FAILED, "site-broken")
    assert (ended.outcome, ended.service_state) == (Outcome.ROLLED_BACK, ServiceState.SERVING_OLD)
    assert (await serving(), await active()) == (1, [1])
    assert diary(machine) == ["start 1", "stop 1", "start 2", "stop 2", "start 1"]


async def test_a_router_that_could_not_be_turned_back_is_told_again(
    db, queue, vault, ctx, standing, serving, active, machine
):
    await standing(2)
    asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": 60, "drain": 1}
    job = (await factories.request(db, queue, vault, **asked)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await told(db, job, lambda event: event.data.get("step") == "watch")
    routers, away = machine.base / "routers", machine.base / "away"
    routers.rename(away)
    routers.touch()  # nothing can be written there, nor read
    await running
    routers.unlink()
    away.rename(routers)
    ended = await _job(db, job.id)
    assert (ended.outcome, ended.service_state) == (Outcome.ROLLBACK_FAILED, ServiceState.UNKNOWN)
    assert (await serving(), await active()) == (2, [1])
    assert await services.dirty_routes.sweep(db, queue) == 1
    [again] = await jobs_of(db, JobKind.ROUTE)
    await run_job(ctx, str(again.id), 1)
    assert (await serving(), await active()) == (1, [1])


async def test_an_automatic_activation_follows_the_provision(
    db, queue, vault, ctx, shop, serving, active
):
    job = (await factories.request(db, queue, vault, activate=True)).job
    await run_job(ctx, str(job.id), 1)
    following = (await services.jobs.get(db, job.id)).job.params["next"]
    await factories.change(db, await _job(db, following), params=await _unwatched(db, following))
    await run_job(ctx, following, 1)
    ended = (await services.jobs.get(db, UUID(following))).job
    assert (ended.kind, ended.status) == (JobKind.ACTIVATE, JobStatus.SUCCEEDED)
    assert (await serving(), await active()) == (1, [1])


async def test_a_background_part_that_does_not_start_leaves_the_previous_set_in_service(
    carried_out, standing, serving, active, machine
):
    await standing(2)
    (machine.base / "apps/shop/shared/broken-2").touch()
    job = await carried_out(JobKind.ACTIVATE, app_servers=("shop:2",), watch=0, drain=1)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "background-failed")
    assert job.service_state is ServiceState.SERVING_OLD
    assert (await serving(), await active()) == (1, [1])


async def test_an_app_server_that_has_died_is_not_put_into_service(
    carried_out, standing, serving, active, machine
):
    await standing(2)
    await kill(machine, 2)
    job = await carried_out(JobKind.ACTIVATE, app_servers=("shop:2",), watch=0, drain=1)
    assert (job.status, job.outcome) == (JobStatus.FAILED, Outcome.ROLLED_BACK)
    assert job.error["step"] == "health-2"
    assert (await serving(), await active()) == (1, [1])


async def test_a_canceled_activation_turns_back(db, queue, vault, ctx, standing, serving, active):
    await standing(2)
    asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": 60, "drain": 1}
    job = (await factories.request(db, queue, vault, **asked)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await told(db, job, lambda event: event.data.get("step") == "watch")
    await services.commands.cancel(db, queue, job.id, actor="tests")
    ctx["runtime"].wakeups.wake(f"ending:{job.id}")
    await running
    ended = (await services.jobs.get(db, job.id)).job
    assert (ended.status, ended.service_state) == (JobStatus.CANCELED, ServiceState.SERVING_OLD)
    assert (await serving(), await active()) == (1, [1])


async def test_the_next_worker_goes_on_with_a_watch(
    db, queue, vault, ctx, standing, serving, active, handed_over
):
    await standing(2)
    asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": 4, "drain": 1}
    job = (await factories.request(db, queue, vault, **asked)).job
    await handed_over(job, "after 0 s")
    assert await serving() == 2
    await run_job(ctx, str(job.id), 2)
    ended = (await services.jobs.get(db, job.id)).job
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    assert (await serving(), await active()) == (2, [2])


async def test_visitors_are_told_to_come_again_when_nobody_is_in_service(
    carried_out, standing, serving, active, machine
):
    await standing(1)
    job = await carried_out(JobKind.DEACTIVATE, app_server="shop:1", drain=1)
    assert (job.status, job.service_state) == (JobStatus.SUCCEEDED, ServiceState.DOWN)
    assert (await serving(), await active()) == (503, [])
    assert diary(machine) == ["start 1", "stop 1"]


async def test_a_terminated_app_server_leaves_nothing_and_the_others_everything(
    carried_out, standing, serving, machine
):
    await standing(2)
    job = await carried_out(JobKind.TERMINATE, app_server="shop:2")
    assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.CHANGED)
    assert job.service_state is ServiceState.SERVING_OLD
    app = machine.base / "apps/shop"
    assert [path.name for path in (app / "run").iterdir()] == ["1"]
    assert [path.name[-2:] for path in (app / "releases").iterdir()] == ["-1"]
    assert (app / "repo.git").exists()
    assert await serving() == 1


async def test_a_second_termination_changes_nothing(carried_out, standing):
    await standing(2)
    await carried_out(JobKind.TERMINATE, app_server="shop:2")
    job = await carried_out(JobKind.TERMINATE, app_server="shop:2")
    assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.UNCHANGED)


async def test_a_router_that_lost_its_route_is_brought_back(carried_out, standing, serving, router):
    await standing(1)
    router.site("shop").unlink()
    router.restart()
    job = await carried_out(JobKind.ROUTE)
    assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.CHANGED)
    assert await serving() == 1


async def test_a_route_that_is_as_wanted_changes_nothing(carried_out, standing):
    await standing(1)
    job = await carried_out(JobKind.ROUTE)
    assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.UNCHANGED)
    assert job.service_state is ServiceState.SERVING_OLD
