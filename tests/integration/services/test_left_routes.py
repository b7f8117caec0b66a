"""An instance leaves its router: the router forgets it, however often that fails at first."""

from datetime import timedelta

import pytest

from app import services
from app.domain.job import JobKind, JobStatus, Outcome
from app.errors import InUse
from app.services.job_request import Terms
from tests.support import deployments, factories
from tests.support.deployments import claim, jobs_of

TERMS = Terms("ann")
FAILED = {"code": "router-unreachable", "title": "t", "detail": "d"}


@pytest.fixture
async def left(db, queue, vault):
    """The router `front` knew the shop, which has none now."""
    host, _ = await deployments.add_routed_site(db)
    await factories.add_router(db, host, name="other")
    await deployments.execute(db, "UPDATE instances SET route_applied = 3, route_version = 3")
    await _give(db, queue, vault, None)
    return host


async def _give(db, queue, vault, router):
    await services.instances.change(
        db, queue, vault, "shop", {"router": router}, expected=None, terms=TERMS
    )


async def _end(db, job, status):
    taken = await claim(db, job)
    if status is JobStatus.SUCCEEDED:
        await services.activation.forget_route(db, taken.job)
    error = None if status is JobStatus.SUCCEEDED else FAILED
    await services.ending.settle(db, taken.job, status=status, error=error)


async def _fail(db):
    [*_, job] = await jobs_of(db, JobKind.ROUTE)
    await _end(db, job, JobStatus.FAILED)


async def _later(db, span=timedelta(minutes=1, seconds=1)):
    await deployments.execute(
        db, "UPDATE jobs SET finished_at = clock_timestamp() - $1::interval", span
    )


async def _forgetting(db):
    return (await services.routers.get(db, "front")).standing.forgetting


async def test_a_router_that_could_not_be_told_is_told_again(db, queue, left):
    await _fail(db)
    assert await services.dirty_routes.sweep(db, queue) == 0
    await _later(db)
    assert await services.dirty_routes.sweep(db, queue) == 1
    [first, again] = await jobs_of(db, JobKind.ROUTE)
    assert again.params == first.params
    assert await services.dirty_routes.sweep(db, queue) == 0


async def test_its_pause_grows_as_well(db, queue, left):
    for _ in range(3):
        await _fail(db)
        await _later(db, timedelta(hours=1))
        await services.dirty_routes.sweep(db, queue)
    await _fail(db)
    await _later(db, timedelta(minutes=7))
    assert await services.dirty_routes.sweep(db, queue) == 0
    await _later(db, timedelta(minutes=8, seconds=1))
    assert await services.dirty_routes.sweep(db, queue) == 1


async def test_a_router_that_has_forgotten_is_left_alone(db, queue, left):
    [job] = await jobs_of(db, JobKind.ROUTE)
    await _end(db, job, JobStatus.SUCCEEDED)
    assert (await _forgetting(db), await services.dirty_routes.sweep(db, queue)) == ((), 0)


async def test_a_job_that_was_canceled_is_asked_for_again(db, queue, left):
    [job] = await jobs_of(db, JobKind.ROUTE)
    await services.commands.cancel(db, queue, job.id, actor="ann")
    await _later(db)
    assert await services.dirty_routes.sweep(db, queue) == 1


async def test_by_hand_it_is_told_at_once(db, queue, left):
    await _fail(db)
    [job_id] = await services.dirty_routes.sync(db, queue, "front", TERMS)
    assert (await deployments.job_of(db, job_id)).params["forget"] is True


async def test_the_instance_stays_until_the_router_has_forgotten_it(db, left):
    await _fail(db)
    with pytest.raises(InUse, match="a route on router front"):
        await services.instances.delete(db, "shop", expected=None)


async def test_then_it_can_go(db, left):
    [job] = await jobs_of(db, JobKind.ROUTE)
    await _end(db, job, JobStatus.SUCCEEDED)
    await services.instances.delete(db, "shop", expected=None)


async def test_the_router_stays_as_well_unless_it_is_gone_for_good(db, left):
    await _fail(db)
    with pytest.raises(InUse, match="routes to forget, of shop") as refused:
        await services.routers.delete(db, "front", expected=None)
    assert "--gone" in refused.value.hint
    await services.routers.delete(db, "front", expected=None, gone_by="ann")
    await services.instances.delete(db, "shop", expected=None)


async def test_jobs_that_have_not_begun_go_with_a_router_that_is_gone_for_good(db, left):
    [job] = await jobs_of(db, JobKind.ROUTE)
    with pytest.raises(InUse, match=r"1 unfinished job"):
        await services.routers.delete(db, "front", expected=None)
    await services.routers.delete(db, "front", expected=None, gone_by="ann")
    ended = await deployments.job_of(db, job.id)
    assert (ended.status, ended.outcome) == (JobStatus.CANCELED, Outcome.UNCHANGED)
    told = (await factories.events(db, job.id))[-1].data
    assert told == {"by": "ann", "reason": "Router front is gone for good."}
    await services.instances.delete(db, "shop", expected=None)


async def test_a_job_that_has_begun_is_not_canceled_with_its_router(db, left):
    taken = await claim(db, *await jobs_of(db, JobKind.ROUTE))
    with pytest.raises(InUse, match=r"1 unfinished job"):
        await services.routers.delete(db, "front", expected=None, gone_by="ann")
    assert (await deployments.job_of(db, taken.job.id)).status is JobStatus.RUNNING


async def test_a_router_that_is_in_use_keeps_its_jobs_also_when_it_is_gone(db, queue, vault, left):
    await factories.add_instance(
        db,
        name="blog",
        recipe=await factories.add_recipe(db),
        host=left,
        router_id=(await services.routers.get(db, "front")).router.id,
    )
    with pytest.raises(InUse, match="blog"):
        await services.routers.delete(db, "front", expected=None, gone_by="ann")
    [job] = await jobs_of(db, JobKind.ROUTE)
    assert job.status is JobStatus.QUEUED


async def test_a_router_that_gets_the_instance_again_does_not_forget_it(db, queue, vault, left):
    await _fail(db)
    await _later(db)
    await _give(db, queue, vault, "front")
    assert await _forgetting(db) == ()
    assert await services.dirty_routes.sweep(db, queue) == 1
    assert "forget" not in (await jobs_of(db, JobKind.ROUTE))[-1].params


async def test_the_next_router_is_told_while_that_of_before_still_has_to_forget(
    db, queue, vault, left
):
    await _fail(db)
    await _give(db, queue, vault, "other")
    assert await services.dirty_routes.sweep(db, queue) == 1
    assert "forget" not in (await jobs_of(db, JobKind.ROUTE))[-1].params
    assert await _forgetting(db) == ("shop",)


async def test_a_router_that_was_told_and_never_read_back_forgets_as_well(db, queue, vault):
    await deployments.add_routed_site(db)
    await deployments.execute(db, "UPDATE instances SET route_version = 3")
    await services.dirty_routes.sweep(db, queue)
    await _fail(db)
    await _give(db, queue, vault, None)
    assert await _forgetting(db) == ("shop",)
