"""Provisions: app servers that are wanted together, each by a job of its own, and their tries."""

from datetime import UTC, datetime, timedelta

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobStatus, OnConflict
from app.errors import AlreadyWaiting, Conflict
from app.services import trying_again
from app.services.trying_again import NoOther
from tests.support import factories, worked

ACTOR = {"actor": "ann"}


@pytest.fixture
async def pair(db):
    """An instance of which two app servers are to serve together."""
    host = await factories.add_host(db, site_address="10.0.0.7")
    return host, await factories.add_instance(db, host=host, target_count=2)


async def jobs_of(db):
    """Oldest first."""
    found = await services.jobs.list_page(db, after=None, limit=50)
    return found[::-1]


async def again(db, view):
    """What follows when the job has failed."""
    async with db.transaction() as session:
        instance = await store.orders.lock_instance(session, view.job.instance_id)
        host = await store.orders.lock_host(session, view.job.host_id)
        app_server = await store.app_servers.get(session, view.app_server.id)
        return await trying_again.make(
            session,
            view.job,
            app_server,
            instance=instance,
            host=host,
            pool=(),
            blamed=False,
        )


async def test_an_app_server_listens_where_its_host_says(db, queue, vault, pair):
    view = await factories.request(db, queue, vault)
    assert view.app_server.address == "10.0.0.7"


async def test_a_single_app_server_is_a_deployment_of_its_own(db, queue, vault):
    await factories.add_site(db)
    view = await factories.request(db, queue, vault)
    assert view.app_server.deployment_id == view.job.id
    asked = {name: view.job.params[name] for name in ("deployment", "of", "try", "tries")}
    assert asked == {"deployment": str(view.job.id), "of": 1, "try": 1, "tries": 1}
    assert view.job.params["activate"] is False
    assert "others" not in view.job.params


@pytest.mark.parametrize(
    ("values", "tries"),
    [
        ({}, 1),
        ({"activate": True}, 2),
        ({"activate": True, "attempts": 1}, 1),
        ({"attempts": 3}, 3),
    ],
)
async def test_how_many_are_tried(db, queue, vault, values, tries):
    await factories.add_site(db)
    params = (await factories.request(db, queue, vault, **values)).job.params
    assert (params["tries"], params["activate"]) == (tries, values.get("activate", False))


async def test_as_many_app_servers_are_made_as_the_instance_wants(db, queue, vault, pair):
    first, second = await _request_and_list(db, queue, vault)
    assert first.job.params["others"] == [str(second.job.id)]
    assert second.job.params["others"] == [str(first.job.id)]
    assert [view.job.params["deployment"] for view in (first, second)] == [str(first.job.id)] * 2
    assert [view.job.params["of"] for view in (first, second)] == [2, 2]
    assert [view.app_server.number for view in (first, second)] == [1, 2]
    assert first.app_server.port != second.app_server.port
    assert first.app_server.deployment_id == second.app_server.deployment_id == first.job.id
    for view in (first, second):
        types = await factories.event_types(db, view.job.id)
        assert types == [EventType.JOB_QUEUED, EventType.APP_SERVER_CREATED]


async def test_the_answer_is_the_first_job(db, queue, vault, pair):
    answer = await factories.request(db, queue, vault)
    assert answer.job.id == (await jobs_of(db))[0].job.id


async def test_each_job_is_pushed(db, queue, vault, pair):
    await factories.request(db, queue, vault)
    assert await queue._redis.zcard(queue._redis.default_queue_name) == 2


async def test_a_dry_run_of_several_is_one_job(db, queue, vault, pair):
    view = await factories.request(db, queue, vault, dry_run=True)
    assert [found.job.id for found in await jobs_of(db)] == [view.job.id]
    assert view.app_server is None


async def test_without_room_for_all_nothing_is_made(db, queue, vault):
    ports = {"port_first": 4000, "port_last": 4000, "next_port": 4000}
    host = await factories.add_host(db, **ports)
    await factories.add_instance(db, host=host, target_count=2)
    with pytest.raises(Conflict, match="no free port"):
        await factories.request(db, queue, vault)
    assert await jobs_of(db) == []


async def test_the_same_deployment_that_waits_is_returned(db, queue, vault, pair):
    first = await factories.request(db, queue, vault)
    same = await factories.request(db, queue, vault, on_conflict=OnConflict.RETURN)
    other = await factories.request(db, queue, vault, on_conflict=OnConflict.RETURN, activate=True)
    assert same.job.id == first.job.id != other.job.id
    assert len(await jobs_of(db)) == 4


async def test_a_deployment_that_has_begun_in_part_is_not_returned(db, queue, vault, pair):
    first, second = await _request_and_list(db, queue, vault)
    await worked.claim(db, str(second.job.id))
    again = await factories.request(db, queue, vault, on_conflict=OnConflict.RETURN)
    assert again.job.id not in {first.job.id, second.job.id}


async def test_all_jobs_of_an_older_deployment_are_superseded(db, queue, vault, pair):
    await factories.request(db, queue, vault)
    await factories.request(db, queue, vault, on_conflict=OnConflict.SUPERSEDE)
    statuses = [view.job.status for view in await jobs_of(db)]
    assert statuses == [JobStatus.SUPERSEDED] * 2 + [JobStatus.QUEUED] * 2


async def test_a_deployment_is_refused_while_one_is_under_way(db, queue, vault, pair):
    await factories.request(db, queue, vault)
    with pytest.raises(AlreadyWaiting):
        await factories.request(db, queue, vault, on_conflict=OnConflict.REJECT)
    assert len(await jobs_of(db)) == 2


async def test_a_failed_one_is_followed_by_another_app_server_of_the_same(db, queue, vault):
    _, instance = await factories.add_site(db)
    deadline = datetime.now(UTC) + timedelta(hours=1)
    first = await factories.request(
        db, queue, vault, activate=True, attempts=3, priority=4, deadline=deadline
    )
    await factories.change(db, instance, settings={"NOT": "there"}, revision="v9")
    job = await again(db, first)
    view = await services.jobs.get(db, job.id)
    assert view.job.params == {**first.job.params, "try": 2}
    assert (view.job.retry_of, view.job.priority) == (first.job.id, 4)
    assert (view.job.actor, view.job.deadline) == (first.job.actor, deadline)
    server, before = view.app_server, first.app_server
    assert (server.number, server.status) == (2, AppServerStatus.NEW)
    assert (server.deployment_id, server.settings) == (before.deployment_id, before.settings)
    assert (server.revision, server.recipe_id) == (before.revision, before.recipe_id)
    assert server.port != before.port


async def test_the_next_try_of_one_of_several_stays_in_its_deployment(db, queue, vault, pair):
    first, second = await _request_and_list(db, queue, vault, activate=True)
    job = await again(db, second)
    assert job.params["deployment"] == str(first.job.id)
    assert "others" not in job.params


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"status": HostStatus.CORDONED}, "is cordoned"),
        ({"port_first": 20000, "port_last": 20000}, "has no free port"),
    ],
)
async def test_there_is_no_next_try_on_a_host_that_takes_none(db, queue, vault, values, why):
    host, _ = await factories.add_site(db)
    first = await factories.request(db, queue, vault, activate=True)
    await factories.change(db, host, **values)
    with pytest.raises(NoOther, match=f"Host alpha {why}"):
        await again(db, first)
    assert len(await jobs_of(db)) == 1


async def test_a_job_of_an_earlier_release_is_followed_as_one_that_stands_for_itself(
    db, queue, vault
):
    await factories.add_site(db)
    first = await factories.request(db, queue, vault)
    await factories.change(db, first.job, params={"instance": "shop", "revision": "main"})
    job = await again(db, await services.jobs.get(db, first.job.id))
    assert (job.params["deployment"], job.params["try"]) == (str(first.job.id), 2)


async def test_a_repeated_provision_keeps_what_was_wanted(db, queue, vault):
    await factories.add_site(db)
    first = await factories.request(db, queue, vault, activate=True, attempts=3)
    made = await _repeat(db, queue, vault, first)
    asked = {name: made.job.params[name] for name in ("activate", "tries", "try", "deployment")}
    assert asked == {
        "activate": True,
        "tries": 3,
        "try": 1,
        "deployment": str(made.job.id),
    }


async def test_a_repeated_one_of_several_completes_its_deployment(db, queue, vault, pair):
    first, second = await _request_and_list(db, queue, vault)
    made = await _repeat(db, queue, vault, second)
    assert made.app_server.deployment_id == first.job.id
    assert (made.job.params["of"], len(await jobs_of(db))) == (2, 3)


async def _request_and_list(db, queue, vault, **values):
    await factories.request(db, queue, vault, **values)
    return await jobs_of(db)


async def _repeat(db, queue, vault, view):
    await services.commands.cancel(db, queue, view.job.id, **ACTOR)
    return await services.commands.retry(db, queue, vault, view.job.id, request_id="r", **ACTOR)


async def test_a_deployment_that_is_whole_gets_nobody_more(db, queue, vault, pair):
    view = await factories.request(db, queue, vault)
    await services.commands.cancel(db, queue, view.job.id, **ACTOR)
    _, instance = pair
    for number in (8, 9):
        await factories.add_app_server(
            db, instance, pair[0], number=number, deployment_id=view.job.id
        )
    again = await services.commands.retry(db, queue, vault, view.job.id, request_id="r", **ACTOR)
    assert again.job.params["deployment"] == str(again.job.id)
    assert len(again.job.params["others"]) == 1


async def test_what_the_router_could_not_reach_is_not_made_to_serve(db, queue, vault):
    _, instance = await factories.add_site(db)
    edge = await factories.add_host(db, name="edge-1")
    router = await factories.add_router(db, edge)
    await factories.change(db, instance, router_id=router.id)
    with pytest.raises(Conflict, match="router edge on host edge-1 cannot reach it") as refused:
        await factories.request(db, queue, vault, activate=True)
    assert refused.value.code == "router-cannot-reach"
    assert await jobs_of(db) == []
    assert (await factories.request(db, queue, vault)).job.status is JobStatus.QUEUED
