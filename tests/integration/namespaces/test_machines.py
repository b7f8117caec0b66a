"""App servers on machines that a provider makes for them: namespaces, each with a real sshd."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.host import HostStatus
from app.domain.job import FINAL, JobKind, JobStatus, LeasePolicy
from app.domain.machine import MachineStatus
from app.domain.provider_spec import OrphanPolicy
from app.gateways.locks import Locks
from tests.support import factories, sites
from tests.support.deployments import execute
from tests.support.namespace_cloud import NamespaceCloud
from tests.support.rack_shop import NAME, RECIPE, Shop
from tests.support.routers import RealRouter
from tests.support.ssh_server import running_server
from tests.support.told import said
from worker.jobs.run_job import run_job
from worker.jobs.runtime import Runtime
from worker.jobs.sweeping_machines import sweep_machines
from worker.remote.hosts import Pool

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

#: Never done with its first step.
HELD = RECIPE.replace('test ! -e "$SHARED_DIR/broken"', "echo it builds; sleep 600")
WELL = [
    (JobKind.PROVISION, JobStatus.SUCCEEDED),
    (JobKind.PROVISION, JobStatus.SUCCEEDED),
    (JobKind.ACTIVATE, JobStatus.SUCCEEDED),
]


@dataclass
class MadeShop(Shop):
    """Two app servers are wanted, each on a machine of its own."""

    cloud: NamespaceCloud
    instance: Any

    async def end_of(self, job):
        """One attempt has the machine made, the next one works there."""
        ended = await super().end_of(job)
        while ended.status not in FINAL:
            await run_job(self.ctx, str(job.id), ended.attempt + 1)
            ended = (await services.jobs.get(self.db, job.id)).job
        return ended

    async def alone(self, **values):
        """One app server is wanted, and nobody goes into service; the job of it."""
        await factories.change(self.db, self.instance, target_count=1)
        return await self.carry_out(JobKind.PROVISION, **values)

    async def app_server(self, number=1):
        return (await services.app_servers.get(self.db, f"shop:{number}")).app_server

    async def machines(self):
        found = await services.machines.list_page(self.db, after=None, limit=50)
        return [one.machine for one in found]

    async def age(self):
        """Nothing has changed of its machine for two hours, and nobody asked for its end."""
        [machine] = await self.machines()
        await factories.change(self.db, machine, updated_at=machine.updated_at - timedelta(hours=2))
        await execute(self.db, "UPDATE jobs SET finished_at = finished_at - interval '2 hours'")

    async def host(self, name="shop-1"):
        return (await services.hosts.get(self.db, name)).host

    async def sweep(self, orphans=OrphanPolicy.REPORT):
        providers = {"cloud": self.cloud.spec(orphans)}
        await sweep_machines(replace(self.ctx["runtime"], providers=providers))


@pytest.fixture
def cloud(folder, monkeypatch):
    made = NamespaceCloud(folder / "cloud")
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    yield made
    made.remove()


@pytest.fixture
async def edge(folder):
    """This machine itself, which reaches every namespace."""
    async with running_server(folder / "edge") as server:
        yield server


@pytest.fixture
def router(folder, edge, kind):
    real = RealRouter(kind, folder, edge.base)
    try:
        real.start()
        yield real
    finally:
        real.stop()


@pytest.fixture
async def shop(db, queue, vault, wakeups, redis_url, folder, cloud, edge, router):
    await services.identities.import_key(db, vault, edge.identity)
    at = edge.address
    host = await factories.add_host(
        db, name="edge", address=at.host, port=at.port, username=at.user, host_key=at.host_key
    )
    row = await factories.add_router(db, host, options=router.options)
    await factories.change(db, row, kind=router.kind)
    instance = await factories.add_instance(
        db,
        recipe=await factories.add_recipe(db, RECIPE),
        repository=sites.repository(folder / "site"),
        revision="v1",
        provider="cloud",
        target_count=2,
        router_id=row.id,
        domain=NAME,
    )
    async with Redis.from_url(redis_url) as redis, Pool() as pool:
        locks = Locks(redis, ttl=LeasePolicy().lease)
        runtime = Runtime(db, queue, locks, vault, wakeups, pool, "worker-1")
        runtime = replace(runtime, providers={"cloud": cloud.spec()})
        yield MadeShop(db, queue, vault, {"runtime": runtime}, router, cloud, instance)


def ended(jobs):
    return [(job.kind, job.status) for job in jobs]


async def page(app_server):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{app_server.address}:{app_server.port}/number")
    return answer.text.strip()


async def test_a_site_is_built_in_a_namespace_that_was_made_for_it(shop):
    job = await shop.alone()
    assert job.status is JobStatus.SUCCEEDED, job.error
    host, app_server, [name] = await shop.host(), await shop.app_server(), shop.cloud.namespaces
    assert (host.status, host.site_address) == (HostStatus.READY, host.address)
    assert app_server.address == host.address
    assert await page(app_server) == "1"
    built = shop.cloud.folder / "made" / name / "home/liftlock/apps/shop/releases"
    assert len(list(built.iterdir())) == 1


async def test_each_app_server_gets_a_namespace_and_the_router_reaches_both(shop):
    jobs = await shop.deploy()
    assert ended(jobs) == WELL, [job.error for job in jobs]
    assert await shop.active() == await shop.serving() == [1, 2]
    assert len(shop.cloud.namespaces) == 2
    assert len({(await shop.app_server(number)).address for number in (1, 2)}) == 2


async def test_namespaces_of_the_old_set_go_once_the_next_one_serves(shop):
    await shop.deploy()
    before = shop.cloud.namespaces
    async with shop.load() as load:
        await load.answered(20)
        jobs = await shop.deploy()
        await load.answered(20)
        for number in (1, 2):
            job = await shop.carry_out(JobKind.TERMINATE, app_server=f"shop:{number}")
            assert job.status is JobStatus.SUCCEEDED, job.error
        await load.answered(20)
    assert ended(jobs) == WELL, [job.error for job in jobs]
    assert load.failures == []
    assert await shop.active() == await shop.serving() == [3, 4]
    assert len(shop.cloud.namespaces) == 2
    assert not {*shop.cloud.namespaces} & {*before}


async def test_a_job_that_is_canceled_while_it_builds_leaves_no_namespace(shop):
    """Case 24."""
    held = await factories.add_recipe(shop.db, HELD)
    await factories.change(shop.db, shop.instance, recipe_id=held.id, target_count=1)
    job = await shop.ask(JobKind.PROVISION)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(shop.end_of(job))
        await said(shop.db, job, "it builds")
        assert len(shop.cloud.namespaces) == 1
        await services.commands.cancel(shop.db, shop.queue, job.id, actor="tests")
    assert running.result().status is JobStatus.CANCELED
    assert (shop.cloud.namespaces, shop.cloud.tags) == ([], [])
    assert (await shop.host()).status is HostStatus.GONE


async def test_an_app_server_whose_namespace_is_not_made_is_in_error_and_tells_why(shop):
    """Case 14."""
    shop.cloud.break_tool("ssh-keygen")
    job = await shop.alone()
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "machine-failed")
    assert "no ssh-keygen today" in job.error["detail"]
    output = [event.data.get("text", "") for event in await factories.events(shop.db, job.id)]
    assert "making the namespace" in "".join(output)
    assert (await shop.app_server()).status is AppServerStatus.ERROR
    assert (await shop.host()).status is HostStatus.GONE
    assert shop.cloud.namespaces == []


async def test_an_automatic_deployment_whose_machine_is_not_made_tries_another_one(shop):
    await factories.change(shop.db, shop.instance, target_count=1)
    job = await shop.ask(JobKind.PROVISION, activate=True)
    shop.cloud.break_tool("ssh-keygen")
    assert (await shop.end_of(job)).status is JobStatus.FAILED
    shop.cloud.mend()
    assert ended(await shop.settle()) == WELL[1:]
    assert await shop.active() == await shop.serving() == [2]


async def test_a_namespace_that_cannot_be_removed_is_told_until_it_is_gone(shop):
    """Case 21."""
    await shop.alone()
    shop.cloud.jam()
    job = await shop.carry_out(JobKind.TERMINATE, app_server="shop:1")
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "unconfirmed-gone")
    assert "Is a directory" in job.error["detail"]
    assert [one.status for one in await shop.machines()] == [MachineStatus.UNKNOWN]
    app_server = await shop.app_server()
    assert (app_server.cleaned_at, app_server.error["code"]) == (None, "unconfirmed-gone")
    shop.cloud.mend()
    await shop.sweep()
    assert await shop.settle() == []
    await shop.age()
    await shop.sweep()
    [again] = await shop.settle()
    assert (again.status, again.actor) == (JobStatus.SUCCEEDED, "liftlock:machines")
    assert (await shop.app_server()).status is AppServerStatus.TERMINATED
    assert (shop.cloud.namespaces, (await shop.host()).status) == ([], HostStatus.GONE)


@pytest.mark.parametrize(
    ("orphans", "status", "left"),
    [
        (OrphanPolicy.REPORT, MachineStatus.UNKNOWN, 2),
        (OrphanPolicy.REMOVE, MachineStatus.TERMINATED, 1),
    ],
)
async def test_a_namespace_of_no_app_server_is_found_and_removed_a_day_later(
    shop, orphans, status, left
):
    await shop.alone()
    async with shop.db.transaction() as session:
        tag = f"{await services.machines.prefix(session)}lost"
    shop.cloud.create(tag, hours_ago=2)
    await shop.sweep(orphans)
    assert len(shop.cloud.namespaces) == 2
    day_ago = "UPDATE machines SET updated_at = updated_at - interval '1 day' WHERE tag = $1"
    await execute(shop.db, day_ago, tag)
    await shop.sweep(orphans)
    assert {one.tag: one.status for one in await shop.machines()}[tag] is status
    assert len(shop.cloud.namespaces) == left
    assert await page(await shop.app_server()) == "1"


async def test_the_host_of_a_namespace_that_vanished_takes_nothing_new(shop):
    await shop.alone()
    await shop.age()
    shop.cloud.remove()
    await shop.sweep()
    assert [one.status for one in await shop.machines()] == [MachineStatus.UNKNOWN]
    assert (await shop.host()).status is HostStatus.QUARANTINED
