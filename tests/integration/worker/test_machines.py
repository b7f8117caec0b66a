"""A worker and the operator's program: machines made once, and looked after each hour."""

import asyncio
import contextlib
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import services, store
from app.domain.host import HostStatus
from app.domain.job import Ending, EndingWhy, JobKind, JobStatus, LeasePolicy
from app.domain.machine import MachineStatus
from app.domain.provider_spec import OrphanPolicy, ProviderSpec, Timeouts
from app.models import Machine
from tests.support import deployments, factories, machine_maker
from tests.support.told import said
from worker.jobs.lease import Lease
from worker.jobs.machines import Machines
from worker.jobs.planning import plan_of
from worker.jobs.run_job import run_job
from worker.jobs.sweep import tidy
from worker.jobs.sweeping_machines import sweep_machines
from worker.plans.outcome import Outcome

OLD = (datetime.now(UTC) - timedelta(hours=2)).isoformat()


class Cloud:
    def __init__(self, folder):
        self.folder = folder

    def spec(self, orphans=OrphanPolicy.REPORT):
        words = [sys.executable, "-P", str(Path(machine_maker.__file__)), str(self.folder)]
        return ProviderSpec(program=words, timeouts=Timeouts(boot=5), orphans=orphans)

    def requests(self, action):
        lines = (self.folder / "requests").read_text().splitlines()
        return [one for one in map(json.loads, lines) if one["action"] == action]

    def add(self, tag, **values):
        (self.folder / f"{tag}.machine").write_text(json.dumps({"id": "m-9", **values}))

    def tags(self):
        return {one.stem for one in self.folder.glob("*.machine")}


@pytest.fixture
def cloud(tmp_path):
    (tmp_path / "cloud").mkdir()
    return Cloud(tmp_path / "cloud")


@pytest.fixture
async def asked(db, queue, vault):
    """A job that is to make a machine."""
    await factories.add_instance(db, provider="cloud")
    return (await factories.request(db, queue, vault)).job


@pytest.fixture
def runtime(ctx, cloud):
    return replace(ctx["runtime"], providers={"cloud": cloud.spec()})


async def machines(db):
    return [one.machine for one in await services.machines.list_page(db, after=None, limit=50)]


async def test_a_machine_that_was_made_for_a_worker_that_stopped_is_taken_by_the_next(
    db, cloud, asked, runtime, machine
):
    (cloud.folder / "port").write_text(str(machine.address.port))
    (cloud.folder / "after-create").write_text("echo it is made >&2; sleep 600")
    first = asyncio.create_task(run_job({"runtime": runtime}, str(asked.id), 1))
    await said(db, asked, "it is made")
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    (cloud.folder / "after-create").unlink()
    await run_job({"runtime": runtime}, str(asked.id), 2)
    assert len(cloud.requests("create")) == 1
    (found,) = await machines(db)
    assert (found.status, found.address) == (MachineStatus.READY, "127.0.0.1")
    async with db.transaction() as session:
        host = await store.hosts.get(session, asked.host_id)
    assert (host.status, host.port, host.username) == (
        HostStatus.READY,
        machine.address.port,
        "deploy",
    )


async def test_a_provider_that_the_worker_does_not_know_fails_the_job(db, asked, ctx):
    await run_job(ctx, str(asked.id), 1)
    job = (await services.jobs.get(db, asked.id)).job
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "provider-failed")
    assert "LIFTLOCK_PROVIDERS" in job.error["hint"]


async def test_a_machine_of_nobody_is_told_and_left(db, cloud, asked, runtime):
    (mine,) = await machines(db)
    tag = f"{mine.tag.rsplit('-', 1)[0]}-lost"
    cloud.add(tag, created=OLD)
    await sweep_machines(runtime)
    assert cloud.tags() == {tag}
    assert {one.tag: one.status for one in await machines(db)} == {
        mine.tag: MachineStatus.PENDING,
        tag: MachineStatus.UNKNOWN,
    }


async def told_yesterday(db):
    """What is known of machines of nobody is known for a day."""
    await deployments.execute(
        db, "UPDATE machines SET updated_at = updated_at - interval '1 day' WHERE wanted = '{}'"
    )


async def test_a_machine_of_nobody_is_removed_when_the_operator_says_so(db, cloud, asked, runtime):
    (mine,) = await machines(db)
    tag = f"{mine.tag.rsplit('-', 1)[0]}-lost"
    cloud.add(tag, created=OLD)
    cloud.add("liftlock-00000000-of-others", created=OLD)
    removing = {"cloud": cloud.spec(OrphanPolicy.REMOVE)}
    await sweep_machines(replace(runtime, providers=removing))
    await told_yesterday(db)
    await sweep_machines(replace(runtime, providers=removing))
    assert cloud.tags() == {"liftlock-00000000-of-others"}
    assert {one.tag: one.status for one in await machines(db)}[tag] is MachineStatus.TERMINATED


async def test_a_machine_that_a_restored_backup_does_not_know_serves_on(db, cloud, asked, runtime):
    """It was made after the backup, and here is what a worker does when it starts."""
    (mine,) = await machines(db)
    serves = f"{mine.tag.rsplit('-', 1)[0]}-later"
    cloud.add(serves, created=OLD)
    await tidy(replace(runtime, providers={"cloud": cloud.spec(OrphanPolicy.REMOVE)}))
    assert cloud.tags() == {serves}
    assert {one.tag: one.status for one in await machines(db)}[serves] is MachineStatus.UNKNOWN


async def test_a_machine_of_nobody_that_has_gone_is_forgotten(db, cloud, asked, runtime):
    (mine,) = await machines(db)
    tag = f"{mine.tag.rsplit('-', 1)[0]}-lost"
    cloud.add(tag, created=OLD)
    await sweep_machines(runtime)
    (cloud.folder / f"{tag}.machine").unlink()
    await sweep_machines(runtime)
    assert {one.tag: one.status for one in await machines(db)}[tag] is MachineStatus.TERMINATED


async def test_a_machine_of_nobody_that_stays_does_not_keep_the_others(db, cloud, asked, runtime):
    (mine,) = await machines(db)
    stays, goes = (f"{mine.tag.rsplit('-', 1)[0]}-{name}" for name in ("a", "b"))
    cloud.add(stays, created=OLD)
    cloud.add(goes, created=OLD)
    only_b = "test -e asked && rm ./*-b.machine && exit 3; touch asked; exit 1"
    (cloud.folder / "fault-destroy").write_text(only_b)
    removing = {"cloud": cloud.spec(OrphanPolicy.REMOVE)}
    await sweep_machines(runtime)
    await told_yesterday(db)
    await sweep_machines(replace(runtime, providers=removing))
    found = {one.tag: one.status for one in await machines(db)}
    assert (found[stays], found[goes]) == (MachineStatus.UNKNOWN, MachineStatus.TERMINATED)


@pytest.fixture
async def ready(db, asked):
    """The tag of a machine that is in use for two hours."""
    (mine,) = await machines(db)
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    values = {"status": MachineStatus.READY, "external_id": "m-9", "ready_at": long_ago}
    await factories.change(db, mine, **values, updated_at=long_ago)
    return mine.tag


@pytest.mark.parametrize("names", [("cloud", "large"), ("large",)], ids=["two", "renamed"])
async def test_a_machine_in_use_is_left_alone_by_other_providers_of_its_account(
    db, cloud, ready, runtime, names
):
    cloud.add(ready, created=OLD)
    removing = dict.fromkeys(names, cloud.spec(OrphanPolicy.REMOVE))
    await sweep_machines(replace(runtime, providers=removing))
    assert cloud.tags() == {ready}
    assert cloud.requests("list")
    assert [one.status for one in await machines(db)] == [MachineStatus.READY]


async def test_a_machine_does_not_vanish_where_another_account_is_listed(db, cloud, ready, runtime):
    await sweep_machines(replace(runtime, providers={"large": cloud.spec()}))
    assert cloud.requests("list")
    assert [one.status for one in await machines(db)] == [MachineStatus.READY]


async def test_a_second_machine_of_a_tag_is_told_and_both_are_left(db, cloud, ready, runtime):
    cloud.add(ready, created=OLD)
    (cloud.folder / "second.machine").write_text(json.dumps({"id": "m-10", "tag": ready}))
    removing = {"cloud": cloud.spec(OrphanPolicy.REMOVE)}
    with capture_logs() as logs:
        await sweep_machines(replace(runtime, providers=removing))
    told = [(one["event"], one.get("machine_id")) for one in logs]
    assert told == [("machine.doubled", "m-10")]
    assert cloud.tags() == {ready, "second"}
    assert [one.status for one in await machines(db)] == [MachineStatus.READY]


async def test_a_machine_that_was_missing_in_one_list_is_ready_again_in_the_next(
    db, cloud, ready, runtime
):
    await sweep_machines(runtime)
    assert [one.status for one in await machines(db)] == [MachineStatus.UNKNOWN]
    cloud.add(ready, created=OLD)
    await sweep_machines(runtime)
    assert [one.status for one in await machines(db)] == [MachineStatus.READY]


async def test_another_machine_under_its_tag_is_not_taken_for_it(db, cloud, ready, runtime):
    await sweep_machines(runtime)
    cloud.add(ready, created=OLD, id="m-10")
    await sweep_machines(runtime)
    assert [one.status for one in await machines(db)] == [MachineStatus.UNKNOWN]


@pytest.fixture
async def failed(db, asked):
    """The tag of a machine that the provider did not make, as it said two hours ago."""
    (mine,) = await machines(db)
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    await factories.change(db, mine, status=MachineStatus.FAILED, updated_at=long_ago)
    return mine.tag


async def test_a_machine_whose_making_failed_and_is_there_is_removed(db, cloud, failed, runtime):
    cloud.add(failed, created=OLD)
    removing = {"cloud": cloud.spec(OrphanPolicy.REMOVE)}
    await sweep_machines(replace(runtime, providers=removing))
    assert cloud.tags() == set()
    assert [one.status for one in await machines(db)] == [MachineStatus.TERMINATED]


async def test_a_machine_whose_making_failed_and_is_there_is_told_until_it_is_gone(
    db, cloud, failed, runtime
):
    cloud.add(failed, created=OLD)
    for _ in range(2):
        await sweep_machines(runtime)
        (told,) = await machines(db)
        assert told.status is MachineStatus.UNKNOWN
        assert told.error["detail"].endswith("and its making had failed.")
    (cloud.folder / f"{failed}.machine").unlink()
    await sweep_machines(runtime)
    assert [one.status for one in await machines(db)] == [MachineStatus.TERMINATED]


async def test_a_machine_whose_making_failed_keeps_its_error_while_there_is_none(
    db, cloud, failed, runtime
):
    await sweep_machines(runtime)
    assert cloud.requests("list")
    assert [one.status for one in await machines(db)] == [MachineStatus.FAILED]


@pytest.fixture
async def gone(db, asked):
    """A machine that was removed two hours ago."""
    (mine,) = await machines(db)
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    values = {"status": MachineStatus.TERMINATED, "terminated_at": long_ago}
    await factories.change(db, mine, **values, updated_at=long_ago)
    return mine.tag


async def test_a_machine_that_was_gone_and_is_there_is_told_until_it_is_gone(
    db, cloud, gone, runtime
):
    cloud.add(gone, created=OLD)
    for _ in range(2):
        await sweep_machines(runtime)
        assert [one.status for one in await machines(db)] == [MachineStatus.UNKNOWN]
    (cloud.folder / f"{gone}.machine").unlink()
    await sweep_machines(runtime)
    assert [one.status for one in await machines(db)] == [MachineStatus.TERMINATED]


async def test_a_machine_that_was_gone_and_is_there_is_removed_again(db, cloud, gone, runtime):
    cloud.add(gone, created=OLD)
    await sweep_machines(runtime)
    (told,) = await machines(db)
    await factories.change(db, told, updated_at=told.updated_at - timedelta(hours=2))
    removing = {"cloud": cloud.spec(OrphanPolicy.REMOVE)}
    await sweep_machines(replace(runtime, providers=removing))
    assert cloud.tags() == set()
    assert [one.status for one in await machines(db)] == [MachineStatus.TERMINATED]


async def test_a_provider_that_does_not_answer_is_left_for_the_next_time(db, cloud, asked, runtime):
    (cloud.folder / "fault-list").write_text("exit 1")
    await sweep_machines(runtime)
    assert [one.status for one in await machines(db)] == [MachineStatus.PENDING]


@pytest.fixture
async def shared(db, cloud, machine):
    """A machine with two app servers of its instance, of which nothing was ever started."""
    at = machine.address
    host = await factories.add_host(
        db, name="shop-1", address=at.host, port=at.port, username=at.user, host_key=at.host_key
    )
    instance = await factories.add_instance(db, provider="cloud")
    for _ in range(2):
        await factories.add_app_server(db, instance, host)
    ids = {"host_id": host.id, "instance_id": instance.id, "external_id": "m-9"}
    row = Machine(tag="liftlock-1-a", provider="cloud", status=MachineStatus.READY, **ids)
    async with db.transaction() as session:
        await store.machines.add(session, row)
    cloud.add(row.tag)
    return row.tag


async def test_a_machine_goes_with_the_last_app_server_on_it(
    db, queue, vault, cloud, shared, runtime
):
    for number, tags, text in [(1, {shared}, "app server shop:2 is on it"), (2, set(), "")]:
        wanted = {"kind": JobKind.TERMINATE, "app_server": f"shop:{number}"}
        job = (await factories.request(db, queue, vault, **wanted)).job
        await run_job({"runtime": runtime}, str(job.id), 1)
        ended = (await services.jobs.get(db, job.id)).job
        assert (ended.status, cloud.tags()) == (JobStatus.SUCCEEDED, tags), ended.error
        told = [event.data.get("text", "") for event in await factories.events(db, job.id)]
        assert text in "".join(told)
    assert (await services.hosts.get(db, "shop-1")).host.status is HostStatus.GONE


async def test_what_is_left_on_a_machine_is_not_confirmed_gone_until_the_last_takes_it(
    db, queue, vault, cloud, shared, runtime, machine
):
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
    await deployments.execute(db, "UPDATE hosts SET host_key = $1", other)
    for number, code, tags in [
        (1, "unconfirmed-gone", {shared}),
        (2, None, set()),
        (1, None, set()),
    ]:
        wanted = {"kind": JobKind.TERMINATE, "app_server": f"shop:{number}"}
        job = (await factories.request(db, queue, vault, **wanted)).job
        await run_job({"runtime": runtime}, str(job.id), 1)
        error = (await services.jobs.get(db, job.id)).job.error
        assert ((error or {}).get("code"), cloud.tags()) == (code, tags), error


async def test_a_later_provision_neither_makes_the_machine_nor_removes_it(
    db, queue, vault, cloud, shared, runtime
):
    job = (await factories.request(db, queue, vault, host="shop-1")).job
    work = await services.work.look(db, job.id)
    work = (await deployments.claim(db, work.job)).work
    assert "create-machine" not in [step.name for step in plan_of(work).steps]
    stopped = Ending(EndingWhy.CANCELED, at="2026-11-21T12:00:00Z")
    made = Machines(runtime, work, Lease(LeasePolicy(), since=time.monotonic()))
    await made.settle(Outcome({}, stopped=stopped))
    assert cloud.tags() == {shared}


async def test_the_provision_that_a_machine_is_made_for_removes_it_when_it_is_stopped(
    db, cloud, asked, runtime
):
    (mine,) = await machines(db)
    cloud.add(mine.tag)
    await factories.change(db, mine, status=MachineStatus.READY)
    work = (await deployments.claim(db, asked)).work
    assert "create-machine" in [step.name for step in plan_of(work).steps]
    stopped = Ending(EndingWhy.CANCELED, at="2026-11-21T12:00:00Z")
    made = Machines(runtime, work, Lease(LeasePolicy(), since=time.monotonic()))
    await made.settle(Outcome({}, stopped=stopped))
    assert cloud.tags() == set()
