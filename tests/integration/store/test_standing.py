"""How instances stand, as the API shows it."""

from uuid import uuid4

import pytest

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.deployment import InstanceState
from tests.support import deployments, factories
from tests.support.deployments import ask, build, fail, serve, succeed


@pytest.fixture
async def site(db):
    return (await deployments.add_routed_site(db))[1]


async def _standing(db, *instances):
    async with db.transaction() as session:
        return await store.standing.standing_of(session, [one.id for one in instances])


async def _state(db, instance):
    return (await _standing(db, instance))[instance.id].state


async def test_an_instance_without_app_servers_is_preparing(db, site):
    view = (await _standing(db, site))[site.id]
    assert (view.active, view.newest, view.state) == ((), None, InstanceState.PREPARING)


async def test_an_instance_that_is_unknown_is_like_one_without_app_servers(db):
    unknown = uuid4()
    async with db.transaction() as session:
        found = await store.standing.standing_of(session, [unknown])
    assert found[unknown].state is InstanceState.PREPARING


async def test_each_of_many_instances_has_its_own(db, queue, vault, site):
    await serve(db, queue, vault)
    other = await factories.add_instance(db, name="blog")
    found = await _standing(db, site, other)
    assert [found[one.id].state for one in (site, other)] == [
        InstanceState.HEALTHY,
        InstanceState.PREPARING,
    ]


async def test_those_in_service_and_the_newest_one_are_named(db, queue, vault, site):
    await serve(db, queue, vault)
    await succeed(db, (await ask(db, queue, vault))[0])
    view = (await _standing(db, site))[site.id]
    assert ([row.number for row in view.active], view.newest.number) == ([1], 2)


async def test_the_state_follows_the_newest_request(db, queue, vault, site):
    [first] = await ask(db, queue, vault)
    assert await _state(db, site) is InstanceState.PREPARING
    await succeed(db, first)
    assert await _state(db, site) is InstanceState.HEALTHY
    [second] = await ask(db, queue, vault, attempts=2)
    assert await _state(db, site) is InstanceState.CHANGES_PENDING
    await build(db, second, AppServerStatus.WAITING)
    assert await _state(db, site) is InstanceState.PROVISIONING


async def test_a_failed_try_does_not_count_once_another_one_runs(db, queue, vault, site):
    [first] = await ask(db, queue, vault, attempts=2)
    [(next_id, _)] = await fail(db, first)
    assert await _state(db, site) is InstanceState.PREPARING
    await succeed(db, await deployments.job_of(db, next_id))
    assert await _state(db, site) is InstanceState.HEALTHY


async def test_one_of_two_that_failed_makes_an_instance_unhealthy(db, queue, vault, site):
    await deployments.execute(db, "UPDATE instances SET target_count = 2")
    first, second = await ask(db, queue, vault)
    await succeed(db, first)
    await fail(db, second)
    assert await _state(db, site) is InstanceState.UNHEALTHY


async def test_a_request_of_which_nothing_is_left_tells_nothing(db, queue, vault, site):
    await serve(db, queue, vault)
    await fail(db, (await ask(db, queue, vault))[0])
    assert await _state(db, site) is InstanceState.UNHEALTHY
    await deployments.execute(db, "UPDATE app_servers SET cleaned_at = now() WHERE number = 2")
    assert await _state(db, site) is InstanceState.HEALTHY


async def test_an_instance_whose_app_servers_are_all_terminated_is_offline(db, queue, vault, site):
    await succeed(db, (await ask(db, queue, vault))[0])
    await deployments.execute(db, "UPDATE app_servers SET status = 'terminated'")
    assert await _state(db, site) is InstanceState.OFFLINE


async def test_app_servers_of_an_earlier_release_stand_for_themselves(db, queue, vault, site):
    for _ in range(2):
        await succeed(db, (await ask(db, queue, vault))[0])
    await deployments.execute(db, "UPDATE app_servers SET deployment_id = NULL")
    await deployments.execute(db, "UPDATE jobs SET params = params - 'deployment' - 'of'")
    assert await _state(db, site) is InstanceState.HEALTHY
