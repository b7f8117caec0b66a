"""Somebody states that an app server is gone: what that needs, and what is recorded."""

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus
from app.domain.machine import MachineStatus
from app.errors import Conflict, Invalid
from app.models import Machine
from tests.support import deployments, factories
from tests.support.deployments import job_of

WHY = "the machine was scrapped"


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
def state(db, queue, vault):
    """Ask for the record."""

    async def ask(**values):
        wanted = {"app_server": "shop:1", "gone": True, "reason": WHY, **values}
        view = await factories.request(db, queue, vault, kind=JobKind.TERMINATE, **wanted)
        return view.job

    return ask


async def record(db, job):
    """What the job's only step notes."""
    taken = await deployments.claim(db, job)
    (target,) = taken.work.targets
    await services.activation.terminated(db, taken.job, target.app_server.id)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)


async def found(db):
    return (await services.app_servers.get(db, "shop:1")).app_server


async def told(db, job, kind):
    return [event.data for event in await factories.events(db, job.id) if event.type == kind]


async def test_it_is_terminated_and_the_job_tells_who_said_so_and_why(db, site, state):
    row = await factories.add_app_server(db, site[1], site[0])
    job = await state()
    assert (job.params["gone"], job.params["reason"]) == (True, WHY)
    await record(db, job)
    gone = await found(db)
    assert (gone.status, gone.cleaned_at is None) == (AppServerStatus.TERMINATED, False)
    said = {"gone": True, "by": "tests", "reason": WHY}
    expected = {"id": str(row.id), "name": "AppServer 1", **said}
    assert await told(db, job, EventType.APP_SERVER_TERMINATED) == [expected]


async def test_one_that_failed_keeps_its_state_and_is_cleaned(db, site, state):
    await factories.add_app_server(db, site[1], site[0], status=AppServerStatus.FAILED)
    job = await state()
    await record(db, job)
    gone = await found(db)
    assert (gone.status, gone.cleaned_at is None) == (AppServerStatus.FAILED, False)
    [data] = await told(db, job, EventType.APP_SERVER_CLEANED)
    assert (data["host"], data["by"], data["reason"]) == ("alpha", "tests", WHY)


async def test_what_nobody_could_tell_of_is_told_no_more(db, site, state):
    error = {"code": "unconfirmed-gone"}
    await factories.add_app_server(db, site[1], site[0], error=error)
    await record(db, await state())
    assert (await found(db)).error is None


async def test_its_host_is_as_it_was(db, site, state):
    await factories.change(db, site[0], status=HostStatus.UNREACHABLE)
    await factories.add_app_server(db, site[1], site[0])
    await record(db, await state())
    assert (await services.hosts.get(db, "alpha")).host.status is HostStatus.UNREACHABLE


async def test_its_machine_is_terminated_and_the_machines_host_is_gone(db, site, state):
    await factories.add_app_server(db, site[1], site[0])
    machine = Machine(
        tag="ll-1", provider="cloud", host_id=site[0].id, status=MachineStatus.UNKNOWN
    )
    async with db.transaction() as session:
        await store.machines.add(session, machine)
    await record(db, await state())
    await services.machines.close(db)  # as the worker does, before its job ends
    [view] = await services.machines.list_page(db, after=None, limit=5)
    assert view.machine.status is MachineStatus.TERMINATED
    assert (await services.hosts.get(db, "alpha")).host.status is HostStatus.GONE


@pytest.mark.parametrize(
    "host", [{"host_key": None}, {"host_key": None, "status": HostStatus.GONE}]
)
async def test_a_host_that_nobody_can_log_in_to_needs_no_key_for_it(db, site, state, host):
    await factories.add_app_server(db, site[1], site[0])
    await factories.change(db, site[0], **host)
    await record(db, await state())
    assert (await found(db)).status is AppServerStatus.TERMINATED


async def test_stated_twice_it_changes_nothing(db, site, state):
    await factories.add_app_server(db, site[1], site[0])
    first, second = await state(), await state(reason="as I said")
    await record(db, first)
    await record(db, second)
    assert await told(db, second, EventType.APP_SERVER_TERMINATED) == []


@pytest.mark.parametrize("reason", [None, "", "  "])
async def test_who_states_it_says_how_they_know(db, site, state, reason):
    await factories.add_app_server(db, site[1], site[0])
    with pytest.raises(Invalid, match="how you know") as refused:
        await state(reason=reason)
    assert [field.pointer for field in refused.value.errors] == ["/reason"]


async def test_a_reason_alone_is_no_statement(db, site, state):
    await factories.add_app_server(db, site[1], site[0])
    with pytest.raises(Invalid, match="belongs to `gone`") as refused:
        await state(gone=False)
    assert [field.pointer for field in refused.value.errors] == ["/reason"]


async def test_what_is_in_service_is_not_gone(db, site, state):
    await factories.add_app_server(db, site[1], site[0], is_active=True)
    with pytest.raises(Conflict) as refused:
        await state()
    assert refused.value.code == "app-server-active"


async def test_what_goes_into_service_meanwhile_is_not_recorded_as_gone(db, site, state):
    row = await factories.add_app_server(db, site[1], site[0])
    job = await state()
    await factories.change(db, row, is_active=True)
    with pytest.raises(services.claiming.Ended):
        await deployments.claim(db, job)
    assert (await job_of(db, job.id)).error["code"] == "app-server-active"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (JobKind.TERMINATE, {"app_server": "shop:1"}),
        (JobKind.ACTIVATE, {"app_servers": ("shop:1",)}),
    ],
)
async def test_what_a_job_is_about_is_not_gone_before_that_ends(
    db, queue, vault, site, state, kind, names
):
    await factories.add_app_server(db, site[1], site[0])
    await factories.add_app_server(db, site[1], site[0])
    other = await factories.request(db, queue, vault, kind=kind, **names)
    with pytest.raises(Conflict, match=f"Job {other.job.id} is about AppServer 1") as refused:
        await state()
    assert refused.value.hint.endswith(f"liftlock jobs cancel {other.job.id}")
    await services.commands.cancel(db, queue, other.job.id, actor="ann")
    assert (await state()).status is JobStatus.QUEUED


async def test_what_is_still_being_made_is_not_gone(db, queue, vault, site, state):
    await factories.request(db, queue, vault)
    with pytest.raises(Conflict, match="which makes it, has not ended"):
        await state()


async def test_a_statement_can_be_repeated(db, queue, vault, site, state):
    await factories.add_app_server(db, site[1], site[0])
    first = await state()
    await services.commands.cancel(db, queue, first.id, actor="ann")
    again = await services.commands.retry(db, queue, vault, first.id, actor="ann", request_id="r")
    assert again.job.params == first.params
