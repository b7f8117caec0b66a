"""Jobs for routers that fail again and again: a pause that grows, and who ends it."""

from datetime import UTC, datetime, timedelta

import pytest

from app import services, store
from app.domain.job import JobKind, JobStatus
from app.errors import NotFound
from app.services.job_request import Terms
from tests.support import deployments, factories
from tests.support.deployments import claim, instance_row, jobs_of

BY_HAND = Terms("ann", request_id="r-1")
FAILED = {"code": "router-unreachable", "title": "t", "detail": "d"}


@pytest.fixture
async def site(db):
    _, instance = await deployments.add_routed_site(db)
    await _wish(db)
    return instance


async def _wish(db):
    async with db.transaction() as session:
        instance = await store.instances.get(session, "shop")
        await store.routers.want_again(session, instance.router_id)


async def _fail(db, queue, times=1):
    """So many jobs that the sweep asked for; the last ended a moment ago."""
    for _ in range(times):
        await _ago(db, timedelta(hours=2))
        assert await services.dirty_routes.sweep(db, queue) == 1
        taken = await claim(db, (await jobs_of(db, JobKind.ROUTE))[-1])
        await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=FAILED)


async def _ago(db, span):
    await deployments.execute(
        db, "UPDATE jobs SET finished_at = clock_timestamp() - $1::interval", span
    )


async def _route(db):
    return (await services.instances.get(db, "shop")).behind


@pytest.mark.parametrize(("failures", "minutes"), [(1, 1), (2, 2), (4, 8), (6, 32), (8, 60)])
async def test_the_pause_doubles_with_each_failure_up_to_an_hour(
    db, queue, site, failures, minutes
):
    await _fail(db, queue, failures)
    await _ago(db, timedelta(minutes=minutes, seconds=-20))
    assert await services.dirty_routes.sweep(db, queue) == 0
    await _ago(db, timedelta(minutes=minutes, seconds=1))
    assert await services.dirty_routes.sweep(db, queue) == 1


async def test_a_weekend_costs_few_jobs(db, queue, site):
    await _fail(db, queue, 7)
    await _ago(db, timedelta(minutes=59))
    assert await services.dirty_routes.sweep(db, queue) == 0


async def test_a_new_wish_is_told_at_once(db, queue, site):
    await _fail(db, queue, 5)
    await _wish(db)
    assert await services.dirty_routes.sweep(db, queue) == 1


async def test_after_a_success_the_pause_begins_anew(db, queue, site):
    await _fail(db, queue, 5)
    await _ago(db, timedelta(hours=2))
    await services.dirty_routes.sweep(db, queue)
    taken = await claim(db, (await jobs_of(db, JobKind.ROUTE))[-1])
    version = taken.work.facts.route_version
    await services.activation.apply_route(db, taken.job, version)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    await _wish(db)
    assert (await _route(db)).failures == 0


async def test_the_instance_tells_since_when_it_waits_and_until_when(db, queue, site):
    before = datetime.now(UTC)
    await _fail(db, queue, 3)
    behind = await _route(db)
    assert behind.failures == 3
    assert timedelta() < before - behind.since < timedelta(minutes=1)
    wait = behind.next_try_at - before
    assert timedelta(minutes=3, seconds=59) < wait < timedelta(minutes=5)


async def test_since_when_is_that_of_the_first_wish_that_was_not_fulfilled(db, queue, site):
    first = (await instance_row(db)).route_behind_since
    await _fail(db, queue)
    await _wish(db)
    assert first is not None
    assert (await _route(db)).since == first


async def test_a_router_that_is_as_wanted_is_behind_nothing(db, queue, site):
    await services.dirty_routes.sweep(db, queue)
    taken = await claim(db, (await jobs_of(db, JobKind.ROUTE))[-1])
    await services.activation.apply_route(db, taken.job, taken.work.facts.route_version)
    assert (await _route(db), (await instance_row(db)).route_behind_since) == (None, None)


async def test_by_hand_it_is_told_at_once(db, queue, site):
    await _fail(db, queue, 5)
    [job_id] = await services.dirty_routes.sync(db, queue, "front", BY_HAND)
    job = await deployments.job_of(db, job_id)
    assert (job.kind, job.actor, job.status) == (JobKind.ROUTE, "ann", JobStatus.QUEUED)
    assert await services.dirty_routes.sync(db, queue, "front", BY_HAND) == []


async def test_by_hand_one_router_is_told_and_no_other(db, queue, site):
    host = (await services.hosts.get(db, "alpha")).host
    await factories.add_router(db, host, name="other")
    assert await services.dirty_routes.sync(db, queue, "other", BY_HAND) == []


async def test_a_router_that_there_is_not_cannot_be_told(db, queue):
    with pytest.raises(NotFound):
        await services.dirty_routes.sync(db, queue, "nobody", BY_HAND)
