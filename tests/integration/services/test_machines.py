"""Machines of providers, from the request to the records of the end."""

import pytest

from app import services, store
from app.domain.host import HostStatus
from app.domain.host_spec import HostSpec
from app.domain.machine import MachineStatus
from app.errors import Conflict, InUse, Invalid
from tests.support import factories, worked


@pytest.fixture
async def site(db):
    """An instance whose app servers get machines."""
    return await factories.add_instance(db, provider="cloud")


async def machines(db):
    return [one.machine for one in await services.machines.list_page(db, after=None, limit=50)]


async def host_of(db, machine):
    async with db.transaction() as session:
        return await store.hosts.get(session, machine.host_id)


async def change(db, machine, status):
    async with db.transaction() as session:
        row = await store.machines.lock(session, machine.id)
        await store.machines.change(session, row, status)


async def test_a_request_records_its_machine_and_its_host(db, queue, vault, site):
    view = await factories.request(db, queue, vault)
    (machine,) = await machines(db)
    host = await host_of(db, machine)
    assert (machine.status, machine.provider) == (MachineStatus.PENDING, "cloud")
    assert (host.name, host.status, host.host_key) == ("shop-1", HostStatus.MAKING, None)
    assert view.job.host_id == view.app_server.host_id == host.id
    assert view.job.params["provider"] == "cloud"


async def test_the_machines_of_one_installation_have_tags_of_one_beginning(db, queue, vault, site):
    await factories.request(db, queue, vault)
    other = await factories.add_instance(
        db, name="blog", provider="cloud", recipe=await factories.add_recipe(db)
    )
    await factories.request(db, queue, vault, instance=other.name)
    first, second = [one.tag.rsplit("-", 1)[0] for one in await machines(db)]
    assert first == second


async def test_the_first_machines_of_all_have_tags_of_one_beginning(db, queue, vault):
    await services.identities.ensure(db, vault)
    network = await factories.add_recipe(db, f"{factories.MINIMAL_RECIPE}data: network\n")
    await factories.add_instance(db, recipe=network, provider="cloud", target_count=2)
    await factories.request(db, queue, vault)
    first, second = [one.tag.rsplit("-", 1)[0] for one in await machines(db)]
    assert first == second


async def test_a_host_of_the_same_name_is_left_alone(db, queue, vault, site):
    await factories.add_host(db, name="shop-1")
    await factories.request(db, queue, vault)
    (machine,) = await machines(db)
    assert (await host_of(db, machine)).name.startswith("shop-1-")


async def test_a_second_machine_is_refused_for_data_in_files(db, queue, vault, site):
    await factories.request(db, queue, vault)
    with pytest.raises(Conflict, match="is in files of one machine"):
        await factories.request(db, queue, vault)


async def test_a_dry_run_has_no_machine_to_look_at(db, queue, vault, site):
    with pytest.raises(Invalid):
        await factories.request(db, queue, vault, dry_run=True)
    assert await machines(db) == []


async def test_a_machine_of_a_job_that_waits_stays_pending(db, queue, vault, site):
    await factories.request(db, queue, vault)
    await services.machines.close(db)
    assert [one.status for one in await machines(db)] == [MachineStatus.PENDING]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (MachineStatus.FAILED, HostStatus.GONE),
        (MachineStatus.TERMINATED, HostStatus.GONE),
        (MachineStatus.UNKNOWN, HostStatus.MAKING),
        (MachineStatus.BUILDING, HostStatus.MAKING),
    ],
)
async def test_only_a_host_without_a_machine_is_gone(db, queue, vault, site, status, found):
    await factories.request(db, queue, vault)
    (machine,) = await machines(db)
    await change(db, machine, status)
    await services.machines.close(db)
    assert (await host_of(db, machine)).status is found


@pytest.mark.parametrize("status", ["making", "gone"])
async def test_nobody_says_that_a_host_is_being_made_or_gone(db, status):
    host = await factories.add_host(db)
    with pytest.raises(Invalid):
        await services.hosts.change(db, host.name, {"status": status}, expected=None)


async def test_a_host_that_is_being_made_is_not_opened_by_hand(db, queue, vault, site):
    await factories.request(db, queue, vault)
    with pytest.raises(Invalid):
        await services.hosts.change(db, "shop-1", {"status": "ready"}, expected=None)


async def test_an_instance_is_not_forgotten_while_its_machine_may_be_there(db, queue, vault, site):
    await factories.request(db, queue, vault)
    with pytest.raises(InUse, match="1 machine"):
        await services.instances.delete(db, "shop", expected=None)


async def test_an_orphan_is_listed_as_unknown_once(db):
    for _ in range(2):
        await services.orphans.report(db, "cloud", "ll-1", external_id="m-1", why="it is new")
    (found,) = await services.machines.list_page(db, after=None, limit=50)
    assert (found.machine.status, found.known) == (MachineStatus.UNKNOWN, False)
    await services.orphans.forget(db, "ll-1")
    assert [one.status for one in await machines(db)] == [MachineStatus.TERMINATED]


@pytest.fixture
async def ready(db, queue, vault, site):
    """A machine whose host is in use."""
    await factories.request(db, queue, vault)
    (machine,) = await machines(db)
    await change(db, machine, MachineStatus.READY)
    await factories.change(db, await host_of(db, machine), status=HostStatus.READY)
    return machine


async def test_the_host_of_a_machine_that_vanished_takes_nothing_new(db, ready):
    await services.orphans.mark_vanished(db, ready.tag)
    (machine,) = await machines(db)
    assert machine.status is MachineStatus.UNKNOWN
    assert (await host_of(db, machine)).status is HostStatus.QUARANTINED


@pytest.mark.parametrize("closed", [HostStatus.CORDONED, HostStatus.QUARANTINED])
async def test_a_host_that_a_person_closed_stays_so_when_its_machine_vanishes_and_is_found(
    db, ready, closed
):
    await factories.change(db, await host_of(db, ready), status=closed)
    await services.orphans.mark_vanished(db, ready.tag)
    host = await host_of(db, ready)
    assert (host.status, host.status_reason) == (closed, None)
    await services.orphans.mark_found(db, ready.tag)
    assert (await host_of(db, ready)).status is closed


async def test_a_machine_that_had_vanished_and_is_listed_opens_its_host_again(db, ready):
    await services.orphans.mark_vanished(db, ready.tag)
    await services.orphans.mark_found(db, ready.tag)
    (machine,) = await machines(db)
    host = await host_of(db, machine)
    assert (machine.status, machine.error) == (MachineStatus.READY, None)
    assert (host.status, host.status_reason) == (HostStatus.READY, None)


async def test_a_host_that_is_quarantined_for_something_else_stays_so(db, ready):
    await services.orphans.mark_vanished(db, ready.tag)
    reason = {"code": "host-key-changed", "detail": "It shows another key."}
    await factories.change(db, await host_of(db, ready), status_reason=reason)
    await services.orphans.mark_found(db, ready.tag)
    assert (await host_of(db, ready)).status is HostStatus.QUARANTINED


async def test_a_machine_that_was_to_go_is_not_ready_again_because_it_is_listed(db, ready):
    await services.orphans.mark_vanished(db, ready.tag)
    error = {"code": "provider-failed", "detail": "Nobody can tell whether it is gone."}
    await factories.change(db, ready, error=error)
    await services.orphans.mark_found(db, ready.tag)
    assert [one.status for one in await machines(db)] == [MachineStatus.UNKNOWN]


async def test_a_machine_that_was_made_tells_where_its_site_listens(db, queue, vault, site):
    asked = (await factories.request(db, queue, vault)).job
    job = await worked.claim(db, str(asked.id))
    spec = HostSpec(
        name="shop-1",
        address="192.0.2.17",
        port=2222,
        user="deploy",
        host_key=factories.HOST_KEY,
        site_address="10.0.0.7",
    )
    await services.machines.reached(db, job, spec)
    (machine,) = await machines(db)
    host = await host_of(db, machine)
    assert (host.address, host.port, host.username) == ("192.0.2.17", 2222, "deploy")
    assert (host.status, host.host_key) == (HostStatus.READY, factories.HOST_KEY)
    app_server = (await services.jobs.get(db, job.id)).app_server
    assert (app_server.address, machine.address) == ("10.0.0.7", "192.0.2.17")
