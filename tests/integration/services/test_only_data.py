"""A machine with the only data of a site goes when somebody says so; the site is then as new."""

import pytest

from app import services, store
from app.domain.job import JobKind, JobStatus
from app.domain.machine import Machine as State
from app.domain.machine import MachineStatus
from app.errors import Conflict, InUse
from app.models import Machine
from app.models.base import utc_now
from tests.support import deployments, factories
from tests.support.deployments import instance_row, jobs_of

UNCONFIRMED = {"code": "unconfirmed-gone", "title": "t", "detail": "d"}
NETWORK = f"{factories.MINIMAL_RECIPE}data: network\n"


async def add_site(db, source=factories.MINIMAL_RECIPE):
    """Its first try failed after `prepare`; three days ago."""
    host = await factories.add_host(db, name="shop-1")
    values = {
        "provider": "cloud",
        "prepared_at": utc_now(),
        "prepared_host_id": host.id,
        "participants_created": ["mail"],
    }
    recipe = await factories.add_recipe(db, source)
    instance = await factories.add_instance(db, recipe=recipe, **values)
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
    await factories.add_app_server(db, instance, host, status="failed")
    ago = "UPDATE app_servers SET created_at = created_at - interval '3 days'"
    await deployments.execute(db, ago)
    return instance, host, machine


@pytest.fixture
async def site(db):
    return await add_site(db)


@pytest.fixture
def terminate(db, queue, vault):
    async def ask(ref="shop:1", **values):
        wanted = {"kind": JobKind.TERMINATE, "app_server": ref, **values}
        return (await factories.request(db, queue, vault, **wanted)).job

    return ask


async def take_machine(db, job, machine):
    """The job of the last app server removes its machine."""
    taken = await deployments.claim(db, job)
    assert await services.machines.give_up(db, taken.job) == []
    await services.machines.record(
        db, taken.job, machine.id, State("ll-1", MachineStatus.TERMINATED)
    )
    await services.activation.terminated(db, taken.job, taken.work.targets[0].app_server.id)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)


async def test_retention_leaves_the_only_data_of_a_site_alone(db, queue, site):
    assert await services.retention.sweep(db, queue) == 0


async def test_what_another_app_server_on_the_machine_keeps_is_not_alone(db, queue, site):
    instance, host, _ = site
    await factories.add_app_server(db, instance, host)
    assert await services.retention.sweep(db, queue) == 1


async def test_data_in_the_network_keeps_no_machine(db, queue, terminate):
    await add_site(db, NETWORK)
    assert await services.retention.sweep(db, queue) == 1


async def test_it_is_not_terminated_by_hand_unless_that_is_said(db, site, terminate):
    with pytest.raises(InUse, match="the only data of the site") as refused:
        await terminate()
    assert refused.value.code == "holds-data"
    assert "liftlock app-servers terminate shop:1 --with-data" in refused.value.hint
    assert (await terminate(with_data=True)).params["with_data"] is True


async def test_one_that_became_the_last_meanwhile_is_not_stopped(db, site, terminate):
    instance, host, _ = site
    mate = await factories.add_app_server(db, instance, host)
    job = await terminate()
    await factories.change(db, mate, status="failed")
    with pytest.raises(services.claiming.Ended):
        await deployments.claim(db, job)
    assert (await deployments.job_of(db, job.id)).error["code"] == "holds-data"


async def test_once_its_machine_is_gone_the_site_is_made_anew(db, queue, vault, site, terminate):
    *_, machine = site
    with pytest.raises(Conflict, match="in files of one machine") as refused:
        await factories.request(db, queue, vault)
    assert "liftlock provision shop --host shop-1" in refused.value.hint
    await take_machine(db, await terminate(with_data=True), machine)
    row = await instance_row(db)
    assert (row.prepared_at, row.prepared_host_id, row.participants_created) == (None, None, [])
    assert (await factories.request(db, queue, vault)).host_name == "shop-2"


async def test_so_it_is_when_somebody_states_that_it_is_gone(db, queue, vault, site, terminate):
    job = await terminate(gone=True, reason="it burned down")
    taken = await deployments.claim(db, job)
    await services.activation.terminated(db, taken.job, taken.work.targets[0].app_server.id)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    assert (await instance_row(db)).prepared_host_id is None
    assert (await factories.request(db, queue, vault)).host_name == "shop-2"


async def test_what_is_prepared_in_the_network_outlives_the_machine(db, terminate):
    *_, machine = await add_site(db, NETWORK)
    await take_machine(db, await terminate(), machine)
    row = await instance_row(db)
    assert (row.prepared_at is not None, row.participants_created) == (True, ["mail"])


async def test_what_was_given_up_once_is_asked_for_its_end_again(db, queue, site, terminate):
    taken = await deployments.claim(db, await terminate(with_data=True))
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=UNCONFIRMED)
    for table, column in (("machines", "updated_at"), ("jobs", "finished_at")):
        await deployments.execute(
            db, f"UPDATE {table} SET {column} = {column} - interval '2 hours'"
        )
    assert await services.retention.repeat(db, queue) == 1
    taken = await deployments.claim(db, (await jobs_of(db, JobKind.TERMINATE))[-1])
    assert await services.machines.give_up(db, taken.job) == []


async def test_what_served_since_is_not_given_up_any_more(db, site, terminate):
    instance, host, _ = site
    row = await factories.add_app_server(db, instance, host)
    taken = await deployments.claim(db, await terminate("shop:2", with_data=True))
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=UNCONFIRMED)
    await factories.change(db, row, activated_at=utc_now())
    with pytest.raises(InUse):
        await terminate("shop:2")


async def test_what_was_to_be_given_up_and_was_canceled_before_is_kept(db, queue, site, terminate):
    job = await terminate(with_data=True)
    await services.commands.cancel(db, queue, job.id, actor="ann")
    with pytest.raises(InUse):
        await terminate()


_STOPPED = """
    UPDATE jobs SET ending = '{}', status = $2, params = params || '{"provider": "cloud"}'
    WHERE id = $1
"""


async def test_the_machine_of_a_job_that_was_stopped_goes_with_what_it_had_prepared(db, site):
    [row] = await deployments.app_servers(db)
    await deployments.execute(db, _STOPPED, row.job_id, "canceled")
    async with db.transaction() as session:
        host = await store.hosts.lock(session, row.host_id)
        assert await services.machines.keepers(session, host, row) == []


async def test_an_order_to_stop_that_came_too_late_gives_no_data_up(db, site, terminate):
    [row] = await deployments.app_servers(db)
    await deployments.execute(db, _STOPPED, row.job_id, "succeeded")
    with pytest.raises(InUse):
        await terminate()
