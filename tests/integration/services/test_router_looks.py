"""Looks at routers: whose turn it is, and what becomes of what they find."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import services, store
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus
from app.models import Instance
from app.models.base import new_id
from app.services.job_request import Terms
from tests.support import deployments, factories
from tests.support.deployments import claim, instance_row, jobs_of

EVERY = timedelta(minutes=5)
FOUND = "found: nobody, wanted: 127.0.0.1:20000"


@pytest.fixture
async def site(db, queue, vault):
    """A shop in service, whose router was read back."""
    _, instance = await deployments.add_routed_site(db)
    await deployments.serve(db, queue, vault)
    return instance


async def _look(db, found=FOUND):
    """A look that finds the same for each; the names of those that have to be told again."""
    look = await services.router_looks.begin(db, EVERY)
    drifts = {one.instance.id: found for one in look.wanted}
    return await services.router_looks.end(db, look, drifts=drifts, error=None)


async def _wanted(db):
    look = await services.router_looks.begin(db, EVERY)
    return [(one.instance.name, len(one.upstreams)) for one in look.wanted]


async def test_a_look_knows_who_should_be_served_by_whom(db, site):
    look = await services.router_looks.begin(db, EVERY)
    [app_server] = await deployments.app_servers(db)
    assert look.routed.router.name == "front"
    assert look.wanted[0].upstreams == (f"{app_server.address}:{app_server.port}",)


async def test_of_many_workers_one_looks_at_a_router(db, site):
    found = await asyncio.gather(*(services.router_looks.begin(db, EVERY) for _ in range(5)))
    assert sum(look is not None for look in found) == 1


async def test_it_is_looked_at_again_after_a_while(db, site):
    await services.router_looks.begin(db, EVERY)
    await deployments.execute(db, "UPDATE routers SET look_at = look_at - interval '301 s'")
    assert await services.router_looks.begin(db, EVERY) is not None


async def test_a_router_that_nobody_has_is_not_looked_at(db):
    host = await factories.add_host(db)
    await factories.add_router(db, host)
    assert await services.router_looks.begin(db, EVERY) is None


@pytest.mark.parametrize("place", ["all", "host:alpha"])
async def test_a_router_that_is_locked_by_hand_is_left_alone(db, site, place):
    await services.locks.place(db, on=place, message="I look at it", actor="me")
    assert await services.router_looks.begin(db, EVERY) is None


async def test_an_instance_that_is_locked_by_hand_is_left_alone(db, site):
    await services.locks.place(db, on="instance:shop", message="I look at it", actor="me")
    assert await _wanted(db) == []


async def test_an_instance_that_a_job_is_about_is_left_alone(db, queue, vault, site):
    await factories.request(db, queue, vault, kind=JobKind.ROUTE)
    assert await _wanted(db) == []


async def test_an_activation_that_is_planned_for_later_is_not_waited_for(db, queue, vault, site):
    later = datetime.now(UTC) + timedelta(days=5)
    wanted = {"kind": JobKind.ACTIVATE, "app_server": "shop:1", "not_before": later}
    await factories.request(db, queue, vault, **wanted)
    assert await _wanted(db) == [("shop", 1)]
    await deployments.execute(db, "UPDATE jobs SET not_before = now()")
    await deployments.execute(db, "UPDATE routers SET look_at = NULL")
    assert await _wanted(db) == []


async def test_an_instance_whose_router_is_behind_is_left_to_its_job(db, site):
    await deployments.execute(db, "UPDATE instances SET route_version = route_version + 3")
    assert await _wanted(db) == []


async def test_what_is_as_wanted_changes_nothing(db, queue, site):
    before = await instance_row(db)
    look = await services.router_looks.begin(db, EVERY)
    assert await services.router_looks.end(db, look, drifts={}, error=None) == []
    assert await services.dirty_routes.sweep(db, queue) == 0
    assert await instance_row(db) == before
    assert (await services.routers.get(db, "front")).router.looked_at is not None


async def test_what_differs_becomes_a_job_that_tells_what_was_found(db, queue, site):
    assert await _look(db) == ["shop"]
    assert await services.dirty_routes.sweep(db, queue) == 1
    [job] = await jobs_of(db, JobKind.ROUTE)
    [told] = [one for one in await factories.events(db, job.id) if one.type == "route.drifted"]
    assert (told.data["router"], told.data["found"]) == ("front", FOUND)


async def test_the_router_tells_what_was_found_and_when_it_was_repaired(db, queue, site):
    await _look(db)
    view = (await services.routers.get(db, "front")).standing
    assert view.behind == ("shop",)
    assert (view.drifts[0]["instance"], view.drifts[0]["found"]) == ("shop", FOUND)
    assert "repaired_at" not in view.drifts[0]
    await services.dirty_routes.sweep(db, queue)
    taken = await claim(db, *await jobs_of(db, JobKind.ROUTE))
    await services.activation.apply_route(db, taken.job, taken.work.facts.route_version)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    view = (await services.routers.get(db, "front")).standing
    assert (view.behind, view.drifts[0]["repaired_at"] is not None) == ((), True)


async def test_a_job_for_another_reason_tells_nothing_of_an_old_drift(db, queue, site):
    await _look(db)
    await services.dirty_routes.sweep(db, queue)
    taken = await claim(db, *await jobs_of(db, JobKind.ROUTE))
    await services.activation.apply_route(db, taken.job, taken.work.facts.route_version)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    await deployments.execute(db, "UPDATE instances SET route_version = route_version + 3")
    await services.dirty_routes.sweep(db, queue)
    [_, job] = await jobs_of(db, JobKind.ROUTE)
    assert EventType.ROUTE_DRIFTED not in await factories.event_types(db, job.id)


async def test_a_switch_that_began_during_the_look_is_left_alone(db, queue, vault, site):
    look = await services.router_looks.begin(db, EVERY)
    await claim(db, (await factories.request(db, queue, vault, kind=JobKind.ROUTE)).job)
    drifts = {look.wanted[0].instance.id: FOUND}
    assert await services.router_looks.end(db, look, drifts=drifts, error=None) == []


async def test_a_switch_that_ended_during_the_look_is_left_alone(db, queue, vault, site):
    look = await services.router_looks.begin(db, EVERY)
    await deployments.serve(db, queue, vault)
    drifts = {look.wanted[0].instance.id: FOUND}
    assert await services.router_looks.end(db, look, drifts=drifts, error=None) == []


async def test_why_a_router_could_not_be_asked_is_told(db, site):
    look = await services.router_looks.begin(db, EVERY)
    await services.router_looks.end(db, look, drifts={}, error="\x1b[31mit is away")
    assert (await services.routers.get(db, "front")).router.look_error == "[31mit is away"


async def test_a_look_that_asked_nothing_leaves_what_was_known(db, queue, site):
    look = await services.router_looks.begin(db, EVERY)
    await services.router_looks.end(db, look, drifts={}, error="It is away.")
    before = (await services.routers.get(db, "front")).router
    await deployments.execute(db, "UPDATE instances SET route_version = route_version + 3")
    await deployments.execute(db, "UPDATE routers SET look_at = NULL")
    await _look(db)
    after = (await services.routers.get(db, "front")).router
    assert (after.looked_at, after.look_error) == (before.looked_at, "It is away.")


async def test_drifts_are_noted_in_one_order_whoever_notes_them(db, site, monkeypatch):
    look = await services.router_looks.begin(db, EVERY)
    ids = sorted(new_id() for _ in range(5))
    [one] = look.wanted
    others = [
        replace(one, instance=Instance(**{**one.instance.model_dump(), "id": instance_id}))
        for instance_id in reversed(ids)
    ]
    noted = []

    async def note(_session, _router_id, instance_id, **_):
        noted.append(instance_id)

    monkeypatch.setattr(store.looks, "drifted", note)
    look = replace(look, wanted=tuple(others))
    await services.router_looks.end(db, look, drifts=dict.fromkeys(ids, FOUND), error=None)
    assert noted == ids


async def test_a_router_that_nobody_will_look_at_says_why(db, site):
    assert await services.router_looks.why_none(db, "front") is None
    await deployments.execute(db, "UPDATE instances SET route_applied = 0, route_version = 0")
    assert "never applied" in await services.router_looks.why_none(db, "front")
    await services.locks.place(db, on="host:alpha", message="I look at it", actor="me")
    assert "locked by hand" in await services.router_looks.why_none(db, "front")


async def test_by_hand_it_is_looked_at_next(db, queue, site):
    await services.router_looks.begin(db, EVERY)
    await services.dirty_routes.sync(db, queue, "front", Terms("ann"))
    assert await services.router_looks.begin(db, EVERY) is not None
