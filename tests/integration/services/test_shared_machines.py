"""A machine belongs to an instance: it goes with the last of its app servers, and with no other."""

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus
from app.domain.machine import MachineStatus
from app.errors import Conflict, InUse
from app.models import Machine
from app.models.base import utc_now
from tests.support import deployments, factories

GONE = {"gone": True, "reason": "it burned down"}


@pytest.fixture
async def instance(db):
    return await factories.add_instance(db, provider="cloud")


@pytest.fixture
async def host(db, instance):
    """A machine with the app server that it was made for."""
    host = await factories.add_host(db, name="shop-1", pool="web")
    await factories.add_app_server(db, instance, host)
    machine = Machine(
        tag="ll-1",
        provider="cloud",
        host_id=host.id,
        instance_id=instance.id,
        status=MachineStatus.READY,
        wanted={"a": 1},
    )
    async with db.transaction() as session:
        await store.machines.add(session, machine)
    return host


@pytest.fixture
async def blog(db):
    return await factories.add_instance(db, name="blog", recipe=await factories.add_recipe(db))


@pytest.fixture
async def stranger(db, host, blog):
    """A site of another instance, as it could be put there once."""
    return await factories.add_app_server(db, blog, host)


@pytest.fixture
async def mate(db, host, instance):
    """The next version of the site, beside the first."""
    return await factories.add_app_server(db, instance, host)


@pytest.fixture
def terminate(db, queue, vault, host):
    async def ask(**values):
        wanted = {"kind": JobKind.TERMINATE, "app_server": "shop:1", **values}
        return (await factories.request(db, queue, vault, **wanted)).job

    return ask


@pytest.fixture
def carry_out(db, terminate):
    """A termination in Postgres alone; what keeps the machine."""

    async def do(ref="shop:1", **values):
        taken = await deployments.claim(db, await terminate(app_server=ref, **values))
        kept = [] if values else await services.machines.give_up(db, taken.job)
        (target,) = taken.work.targets
        await services.activation.terminated(db, taken.job, target.app_server.id)
        await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
        return kept

    return do


async def unconfirm(db, app_server, **values):
    """Nobody could tell whether it is gone, the last time that this was wanted."""
    await factories.change(db, app_server, error={"code": "unconfirmed-gone"}, **values)


async def status(db):
    return (await services.hosts.get(db, "shop-1")).host.status


async def machine_status(db):
    [view] = await services.machines.list_page(db, after=None, limit=5)
    return view.machine.status


async def test_the_machine_stays_until_the_last_app_server_of_its_instance_goes(
    db, mate, carry_out
):
    assert await carry_out("shop:1") == ["app server shop:2"]
    assert await status(db) is HostStatus.READY
    assert await carry_out("shop:2") == []
    assert await status(db) is HostStatus.CORDONED


@pytest.mark.parametrize("left", [AppServerStatus.FAILED, AppServerStatus.ERROR])
async def test_one_that_failed_keeps_no_machine(db, mate, carry_out, left):
    await factories.change(db, mate, status=left)
    assert await carry_out("shop:1") == []


@pytest.mark.parametrize("left", [AppServerStatus.FAILED, AppServerStatus.ERROR])
async def test_the_machine_of_one_that_failed_goes_with_the_last_that_lives(
    db, mate, carry_out, left
):
    await factories.change(db, mate, status=left)
    assert await carry_out("shop:2") == ["app server shop:1"]
    assert await carry_out("shop:1") == []


async def test_one_that_nobody_could_confirm_to_be_gone_keeps_no_machine(db, mate, carry_out):
    await unconfirm(db, mate)
    assert await carry_out("shop:1") == []


async def test_nor_does_it_when_it_went_into_service_before_and_serves_no_more(db, mate, carry_out):
    await unconfirm(db, mate, activated_at=utc_now(), deactivated_at=utc_now())
    assert await carry_out("shop:1") == []


async def test_one_that_serves_keeps_its_machine_whatever_was_said_of_it(db, mate, carry_out):
    await unconfirm(db, mate, is_active=True)
    assert await carry_out("shop:1") == ["app server shop:2"]


async def test_one_that_is_stated_to_be_gone_says_nothing_of_another_that_may_run(
    db, mate, carry_out
):
    await unconfirm(db, mate)
    await carry_out("shop:1", **GONE)
    assert await machine_status(db) is MachineStatus.READY


async def test_a_stranger_that_is_stated_to_be_gone_leaves_the_machine(db, stranger, carry_out):
    await carry_out("blog:1", **GONE)
    assert await machine_status(db) is MachineStatus.READY


async def test_a_stranger_that_nobody_could_confirm_to_be_gone_keeps_the_machine(
    db, stranger, terminate
):
    await unconfirm(db, stranger)
    with pytest.raises(InUse, match="app server blog:1"):
        await terminate()


async def test_one_that_is_stated_to_be_gone_takes_its_machine_when_it_is_the_last(
    db, mate, carry_out
):
    await carry_out("shop:2", **GONE)
    assert await machine_status(db) is MachineStatus.READY
    await carry_out("shop:1", **GONE)
    assert await machine_status(db) is MachineStatus.TERMINATED


async def test_an_app_server_of_another_instance_is_refused_on_the_machine(
    db, queue, vault, host, blog
):
    with pytest.raises(Conflict, match="provider cloud made for instance shop") as refused:
        await factories.request(db, queue, vault, instance="blog", host="shop-1")
    assert refused.value.hint.endswith("liftlock hosts list")


async def test_also_when_the_machine_is_in_its_pool(db, queue, vault, host, blog):
    await factories.change(db, blog, pool="web")
    with pytest.raises(Conflict, match="shop-1 was made by provider cloud for instance shop"):
        await factories.request(db, queue, vault, instance="blog")
    await factories.add_host(db, name="web2", pool="web")
    view = await factories.request(db, queue, vault, instance="blog")
    assert view.host_name == "web2"


async def test_the_next_version_of_the_site_may_come_to_its_machine(db, queue, vault, host):
    view = await factories.request(db, queue, vault, host="shop-1")
    assert (view.host_name, view.app_server.number) == ("shop-1", 2)


@pytest.mark.parametrize("stated", [{}, GONE])
async def test_the_last_app_server_is_not_terminated_when_a_stranger_would_go_with_its_machine(
    stranger, terminate, stated
):
    with pytest.raises(InUse, match="app server blog:1") as refused:
        await terminate(**stated)
    assert "liftlock hosts show shop-1" in refused.value.hint


async def test_once_the_stranger_is_terminated_the_last_one_takes_the_machine(
    db, stranger, carry_out
):
    assert await carry_out("blog:1") == ["app server shop:1"]
    assert await status(db) is HostStatus.READY
    assert await carry_out("shop:1") == []


async def test_nor_is_it_when_a_router_would_go(db, host, terminate):
    await factories.add_router(db, host)
    with pytest.raises(InUse, match="router edge") as refused:
        await terminate()
    assert "liftlock routers set NAME --host HOST" in refused.value.hint


async def test_nor_when_a_host_is_reached_through_it(db, host, terminate):
    await factories.add_host(db, name="inner", jump_host_id=host.id)
    with pytest.raises(InUse, match="host inner, which is reached through it"):
        await terminate()


async def test_a_router_keeps_only_the_last_app_server(db, host, mate, terminate, carry_out):
    await factories.add_router(db, host)
    assert await carry_out("shop:1") == ["app server shop:2"]
    with pytest.raises(InUse, match="router edge"):
        await terminate(app_server="shop:2")


async def test_what_was_put_there_meanwhile_stops_the_removal(db, host, terminate):
    taken = await deployments.claim(db, await terminate())
    await factories.add_router(db, host)
    with pytest.raises(InUse, match="router edge"):
        await services.machines.give_up(db, taken.job)
    assert await status(db) is HostStatus.READY


async def test_what_was_put_there_before_the_job_begins_ends_it(db, host, terminate):
    job = await terminate()
    await factories.add_router(db, host)
    with pytest.raises(services.claiming.Ended):
        await deployments.claim(db, job)
    error = (await deployments.job_of(db, job.id)).error
    assert (error["code"], "Nothing was stopped" in error["detail"]) == ("in-use", True)


async def test_before_its_machine_is_removed_a_host_takes_nothing_more(db, host, terminate):
    taken = await deployments.claim(db, await terminate())
    await services.machines.give_up(db, taken.job)
    assert await status(db) is HostStatus.CORDONED


async def test_on_a_registered_host_others_do_not_matter(db, queue, vault):
    host, instance = await factories.add_site(db)
    for _ in range(2):
        await factories.add_app_server(db, instance, host)
    await factories.add_router(db, host)
    wanted = {"kind": JobKind.TERMINATE, "app_server": "shop:1"}
    assert (await factories.request(db, queue, vault, **wanted)).job.kind is JobKind.TERMINATE
