"""Routers that are behind: one job for many wishes, and no wish is lost (case 30)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app import services, store
from app.domain.job import JobKind, JobStatus
from tests.support import deployments, factories
from tests.support.deployments import ask, claim, instance_row, jobs_of, note_switch, succeed


@pytest.fixture
async def site(db):
    return (await deployments.add_routed_site(db))[1]


async def _wish(db, times=1):
    for _ in range(times):
        await deployments.execute(
            db, f"UPDATE instances SET route_version = route_version + {store.routes.WISH}"
        )


async def _carry_out(db, job):
    taken = await claim(db, job)
    version = taken.work.facts.route_version
    await services.activation.apply_route(db, taken.job, version)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)


async def _is_behind(db):
    instance = await instance_row(db)
    return instance.route_applied < instance.route_version


async def test_a_router_that_has_what_is_wanted_is_left_alone(db, queue, site):
    assert await services.dirty_routes.sweep(db, queue) == 0


async def test_many_wishes_are_fulfilled_by_one_job(db, queue, site):
    await _wish(db, 5)
    assert await services.dirty_routes.sweep(db, queue) == 1
    await _carry_out(db, *await jobs_of(db, JobKind.ROUTE))
    assert not await _is_behind(db)
    assert await services.dirty_routes.sweep(db, queue) == 0


async def test_many_sweeps_at_once_make_one_job(db, queue, site):
    await _wish(db)
    found = await asyncio.gather(*(services.dirty_routes.sweep(db, queue) for _ in range(5)))
    assert sum(found) == 1


async def test_a_wish_that_comes_while_a_job_runs_is_fulfilled_by_the_next(db, queue, site):
    await _wish(db)
    await services.dirty_routes.sweep(db, queue)
    [job] = await jobs_of(db, JobKind.ROUTE)
    taken = await claim(db, job)
    await _wish(db)
    await services.activation.apply_route(db, taken.job, taken.work.facts.route_version)
    assert await services.dirty_routes.sweep(db, queue) == 0
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    assert await services.dirty_routes.sweep(db, queue) == 1


@pytest.mark.parametrize("back", [False, True], ids=["forth", "back"])
@pytest.mark.parametrize("noted", [False, True], ids=["before its note", "after its note"])
async def test_a_wish_that_comes_while_a_set_is_switched_is_not_lost(
    db, queue, vault, site, back, noted
):
    [job] = await ask(db, queue, vault, activate=True)
    await succeed(db, job)
    taken = await claim(db, *await jobs_of(db, JobKind.ACTIVATE))
    version = taken.work.facts.route_version
    if not noted:
        await _wish(db)
    await services.activation.want_route(db, taken.job, version)
    if noted:
        await _wish(db)
    await note_switch(db, taken)
    if back:
        await services.activation.activate(
            db, taken.job, on=[], off=[], route_version=version + 1, read_back=False
        )
    assert await _is_behind(db)


async def test_after_a_failure_the_router_has_a_rest(db, queue, site):
    await _wish(db)
    await services.dirty_routes.sweep(db, queue)
    [job] = await jobs_of(db, JobKind.ROUTE)
    taken = await claim(db, job)
    error = {"code": "router-unreachable"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    assert await services.dirty_routes.sweep(db, queue) == 0
    await deployments.execute(db, "UPDATE jobs SET finished_at = now() - interval '2 minutes'")
    assert await services.dirty_routes.sweep(db, queue) == 1


@pytest.mark.parametrize("kind", [JobKind.PROVISION, JobKind.ROUTE])
async def test_what_is_planned_for_tonight_is_not_waited_for(db, queue, vault, site, kind):
    await _wish(db)
    tonight = datetime.now(UTC) + timedelta(hours=8)
    await factories.request(db, queue, vault, kind=kind, not_before=tonight)
    assert await services.dirty_routes.sweep(db, queue) == 1


async def test_an_activation_that_waits_for_its_turn_tells_the_router_by_itself(
    db, queue, vault, site
):
    [job] = await ask(db, queue, vault, activate=True)
    await succeed(db, job)
    await _wish(db)
    assert await services.dirty_routes.sweep(db, queue) == 0


async def test_an_instance_without_a_router_needs_no_job(db, queue, site):
    await _wish(db)
    await deployments.execute(db, "UPDATE instances SET router_id = NULL")
    assert await services.dirty_routes.sweep(db, queue) == 0


async def test_a_site_that_is_locked_by_hand_is_left_alone(db, queue, site):
    await _wish(db)
    await services.locks.place(db, on="instance:shop", message="I look at it", actor="me")
    assert await services.dirty_routes.sweep(db, queue) == 0


@pytest.fixture
async def one_at_a_time(db, site, monkeypatch):
    """Two sites of one router, of which a sweep sees one; the one that it sees first."""
    recipe, host = await factories.add_recipe(db), (await services.hosts.get(db, "alpha")).host
    values = {"host": host, "router_id": site.router_id}
    blog = await factories.add_instance(db, name="blog", recipe=recipe, **values)
    monkeypatch.setattr(services.dirty_routes, "_MOST", 1)
    return min((site, blog), key=lambda one: one.id)


async def test_a_site_that_is_locked_by_hand_does_not_keep_others_from_their_turn(
    db, queue, one_at_a_time
):
    await _wish(db)
    place = f"instance:{one_at_a_time.name}"
    await services.locks.place(db, on=place, message="I look at it", actor="me")
    assert await services.dirty_routes.sweep(db, queue) == 1
    [job] = await jobs_of(db, JobKind.ROUTE)
    assert job.instance_id != one_at_a_time.id


async def test_a_route_that_is_to_be_forgotten_and_locked_does_not_keep_others_from_their_turn(
    db, queue, one_at_a_time
):
    other = await factories.add_router(db, (await services.hosts.get(db, "alpha")).host)
    async with db.transaction() as session:
        for name in sorted(("shop", "blog"), key=lambda name: name != one_at_a_time.name):
            instance = await store.instances.get(session, name)
            await store.dirty_routes.leave(session, other.id, instance.id)
    place = f"instance:{one_at_a_time.name}"
    await services.locks.place(db, on=place, message="I look at it", actor="me")
    assert await services.dirty_routes.sweep(db, queue) == 1
    [job] = await jobs_of(db, JobKind.ROUTE)
    assert job.instance_id != one_at_a_time.id


@pytest.mark.parametrize("place", ["host:alpha", "all"])
async def test_a_router_whose_host_is_locked_by_hand_is_left_alone(db, queue, site, place):
    await _wish(db)
    await services.locks.place(db, on=place, message="I look at it", actor="me")
    assert await services.dirty_routes.sweep(db, queue) == 0
