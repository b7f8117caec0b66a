"""Asking for an activation: what may go into service, and what is said of the rest."""

from datetime import UTC, datetime

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus, OnConflict
from app.domain.router import RouterKind
from app.errors import Conflict, Invalid, ManualLock
from app.models.base import new_id
from app.services import activating
from app.services.job_request import Terms
from tests.support import factories


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
def activate(db, queue, vault):
    """Asks for it; app servers are named as people do."""

    async def activate(*app_servers, **values):
        return await factories.request(
            db, queue, vault, kind=JobKind.ACTIVATE, app_servers=app_servers, **values
        )

    return activate


async def add(db, site, **values):
    host, instance = site
    return await factories.add_app_server(db, instance, host, **values)


async def add_routed(db, site, **values):
    """A router on a host of its own, which the instance has."""
    _, instance = site
    edge = await factories.add_host(db, name="edge-1")
    router = await factories.add_router(db, edge, **values)
    await factories.change(db, instance, router_id=router.id)
    return edge


async def refusal(asked):
    with pytest.raises((Conflict, Invalid)) as refused:
        await asked
    return refused.value


async def test_an_app_server_that_runs_can_go_into_service(db, site, activate):
    host, instance = site
    row = await add(db, site)
    view = await activate("shop:1")
    job = view.job
    assert (job.status, job.instance_id, job.host_id) == (JobStatus.QUEUED, instance.id, host.id)
    assert job.recipe_id == row.recipe_id
    assert job.params == {
        "instance": "shop",
        "app_servers": [str(row.id)],
        "names": ["AppServer 1"],
        "drain": 30,
        "watch": 60,
        "hold": 0,
        "sequence": None,
        "deployment": None,
    }
    assert view.app_servers == ((row.id, "AppServer 1"),)
    assert (await services.jobs.get(db, job.id)).app_servers == view.app_servers
    assert await factories.event_types(db, job.id) == [EventType.JOB_QUEUED]


async def test_it_may_be_named_by_its_id(db, site, activate):
    row = await add(db, site)
    assert (await activate(str(row.id), drain=5, watch=0)).job.params["drain"] == 5


async def test_a_job_that_activates_is_pushed(db, queue, site, activate):
    await add(db, site)
    await activate("shop:1")
    assert await queue._redis.zcard(queue._redis.default_queue_name) == 1


async def test_what_is_in_service_may_be_activated_again(db, site, activate):
    await add(db, site, is_active=True)
    assert (await activate("shop:1")).job.status is JobStatus.QUEUED


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (AppServerStatus.NEW, "Wait until it runs: liftlock jobs wait"),
        (AppServerStatus.CONFIGURING, "Wait until it runs: liftlock jobs wait"),
        (AppServerStatus.FAILED, "See why: liftlock jobs logs"),
        (AppServerStatus.ERROR, "See why: liftlock jobs logs"),
        (AppServerStatus.TERMINATED, "Provision another one: liftlock provision shop"),
    ],
)
async def test_an_app_server_that_does_not_run_is_refused(db, site, activate, status, hint):
    await add(db, site, status=status)
    error = await refusal(activate("shop:1"))
    assert error.code == "app-server-unhealthy"
    assert f"AppServer 1 of instance shop is {status}" in error.detail
    assert error.hint.startswith(hint)
    assert await services.jobs.list_page(db, after=None, limit=9, kind=JobKind.ACTIVATE) == []


async def test_an_app_server_whose_files_are_gone_is_refused(db, site, activate):
    first = await add(db, site)
    await add(db, site, deployment_id=first.deployment_id)
    await factories.change(db, first, cleaned_at=datetime.now(UTC))
    error = await refusal(activate("shop:1"))
    assert "AppServer 1 of instance shop is terminated" in error.detail
    assert [name for _, name in (await activate("shop:2")).app_servers] == ["AppServer 2"]


@pytest.mark.parametrize(
    ("refs", "pointer"),
    [
        ((), "/app_servers"),
        (("shop:9",), "/app_servers/0"),
        (("nobody:1",), "/app_servers/0"),
        (("shop",), "/app_servers/0"),
        ((str(new_id()),), "/app_servers/0"),
        (("shop:1", "shop:1"), "/app_servers/1"),
        (("shop:1", "blog:1"), "/app_servers/1"),
    ],
)
async def test_what_names_no_app_server_of_one_instance_is_refused_with_its_place(
    db, site, activate, refs, pointer
):
    host, instance = site
    await add(db, site)
    row = await store_recipe(db, instance)
    blog = await factories.add_instance(db, name="blog", recipe=row, host=host)
    await add(db, (host, blog))
    error = await refusal(activate(*refs))
    assert [field.pointer for field in error.errors] == [pointer]


async def store_recipe(db, instance):
    async with db.transaction() as session:
        return await store.recipes.get(session, "plain", None)


async def test_an_app_server_brings_those_of_its_deployment_along(db, site, activate):
    await factories.change(db, site[1], target_count=2)
    first = await add(db, site)
    same = {"deployment_id": first.deployment_id}
    second = await add(db, site, **same)
    await add(db, site, **same, status=AppServerStatus.FAILED)
    view = await activate("shop:2")
    assert [key for key, _ in view.app_servers] == [first.id, second.id]


async def test_fewer_than_the_instance_wants_are_refused(db, site, activate):
    await factories.change(db, site[1], target_count=2)
    await add(db, site)
    error = await refusal(activate("shop:1"))
    assert error.code == "incomplete-set"
    assert "wants 2 app servers in service together; found 1: AppServer 1" in error.detail


async def test_fewer_will_do_when_that_is_said(db, site, activate):
    await factories.change(db, site[1], target_count=2)
    first = await add(db, site)
    await add(db, site, deployment_id=first.deployment_id)
    view = await activate("shop:1", partial=True)
    assert view.app_servers == ((first.id, "AppServer 1"),)
    assert view.job.params["partial"] is True


@pytest.mark.parametrize("status", [HostStatus.CORDONED, HostStatus.QUARANTINED])
async def test_a_closed_host_takes_an_activation(db, site, activate, status):
    await add(db, site)
    await factories.change(db, site[0], status=status)
    assert (await activate("shop:1")).job.status is JobStatus.QUEUED


async def test_a_host_that_nobody_can_reach_takes_none(db, site, activate):
    await add(db, site)
    await factories.change(db, site[0], host_key=None)
    assert (await refusal(activate("shop:1"))).code == "host-key-missing"


async def test_a_router_elsewhere_does_not_reach_a_loopback(db, site, activate):
    await add(db, site)
    await add_routed(db, site)
    error = await refusal(activate("shop:1"))
    assert error.code == "router-cannot-reach"
    assert "listens on 127.0.0.1 of host alpha; router edge on host edge-1" in error.detail
    assert "liftlock hosts set alpha --site-address" in error.hint


async def test_a_router_elsewhere_reaches_an_address_of_the_network(db, site, activate):
    await add(db, site, address="10.0.0.7")
    await add_routed(db, site)
    assert (await activate("shop:1")).job.status is JobStatus.QUEUED


async def test_a_router_on_the_same_host_reaches_the_loopback(db, site, activate):
    host, instance = site
    await add(db, site)
    router = await factories.add_router(db, host)
    await factories.change(db, instance, router_id=router.id)
    assert (await activate("shop:1")).job.status is JobStatus.QUEUED


async def test_what_the_router_cannot_do_is_refused(db, site, activate):
    await add(db, site, address="10.0.0.7")
    await add_routed(db, site, kind=RouterKind.NGINX)
    await factories.change(db, site[1], tls={"mode": "auto"})
    error = await refusal(activate("shop:1"))
    assert (error.status, error.code) == (422, "router-incapable")
    assert "nginx cannot do TLS `auto`" in error.detail


@pytest.mark.parametrize("on", ["alpha", "edge-1"])
async def test_a_host_that_is_locked_by_hand_is_not_switched(db, site, activate, on):
    await add(db, site, address="10.0.0.7")
    await add_routed(db, site)
    await services.locks.place(db, on=f"host:{on}", message="Not now.", actor="ann")
    with pytest.raises(ManualLock, match=f"on host {on}"):
        await activate("shop:1")


async def test_the_same_activation_is_returned_however_it_is_named(db, site, activate):
    rows = [await add(db, site, address="10.0.0.7") for _ in range(2)]
    first = await activate("shop:1", "shop:2")
    ids = [str(row.id) for row in rows[::-1]]
    same = await activate(*ids, on_conflict=OnConflict.RETURN)
    other = await activate(*ids, on_conflict=OnConflict.RETURN, watch=1)
    assert first.job.id == same.job.id != other.job.id


async def test_a_newer_activation_replaces_one_that_waits(db, site, activate):
    for _ in range(2):
        await add(db, site)
    first = await activate("shop:1")
    await activate("shop:2", on_conflict=OnConflict.SUPERSEDE)
    assert (await services.jobs.get(db, first.job.id)).job.status is JobStatus.SUPERSEDED


async def test_an_activation_follows_in_the_name_of_who_asked(db, site):
    _, instance = site
    rows = [await add(db, site) for _ in range(2)]
    terms = Terms("ann", "request-1", priority=3)
    async with db.transaction() as session:
        made = await activating.make(
            session,
            instance=instance,
            app_servers=rows,
            terms=terms,
            sequence=7,
            deployment=rows[0].deployment_id,
        )
    view = await services.jobs.get(db, made.id)
    assert (view.job.actor, view.job.request_id, view.job.priority) == ("ann", "request-1", 3)
    assert view.job.params["sequence"] == 7
    assert view.job.params["deployment"] == str(rows[0].deployment_id)
    assert [key for key, _ in view.app_servers] == [row.id for row in rows]
    assert await factories.event_types(db, made.id) == [EventType.JOB_QUEUED]


async def test_a_repeated_activation_is_of_the_same(db, queue, vault, site, activate):
    await factories.change(db, site[1], target_count=2)
    await add(db, site)
    first = await activate("shop:1", partial=True, drain=3, watch=4)
    await services.commands.cancel(db, queue, first.job.id, actor="ann")
    again = await services.commands.retry(
        db, queue, vault, first.job.id, actor="ann", request_id="r"
    )
    assert again.job.params == first.job.params
    assert again.job.retry_of == first.job.id
