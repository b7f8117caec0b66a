"""A site moves from one real router to another, and the one of before is away meanwhile."""

import asyncio

import pytest

from app import services
from app.domain.job import JobKind, JobStatus
from app.domain.router import RouterKind
from app.errors import InUse
from app.services.job_request import Terms
from tests.integration.worker.conftest import SHOP_NAME
from tests.support import factories
from tests.support.deployments import execute, jobs_of
from tests.support.router_load import KeepAlive, close_clients
from tests.support.routers import RealRouter
from worker.jobs.run_job import run_job

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def other(db, shop, machine, tmp_path_factory):
    """A second Caddy, on the same host, with folders of its own."""
    folder = tmp_path_factory.mktemp("other")
    found = RealRouter(RouterKind.CADDY, folder, folder)
    found.start()
    host = (await services.hosts.get(db, "alpha")).host
    options = {**found.options, "folder": str(found.sites.parent), "sites": str(found.sites)}
    await factories.add_router(db, host, name="other", options=options)
    yield found
    found.stop()
    await close_clients()


@pytest.fixture
def give(db, queue, vault):
    async def change(router):
        terms = Terms("ann")
        await services.instances.change(
            db, queue, vault, "shop", {"router": router}, expected=None, terms=terms
        )

    return change


@pytest.fixture
def swept(db, queue, ctx):
    """Carry out what routers are to be told, later than any pause lasts; how each job ended."""

    async def sweep():
        await execute(db, "UPDATE jobs SET finished_at = finished_at - interval '2 hours'")
        await services.dirty_routes.sweep(db, queue)
        ended = []
        for job in await jobs_of(db, JobKind.ROUTE):
            if job.status is JobStatus.QUEUED:
                await run_job(ctx, str(job.id), 1)
                ended.append((await services.jobs.get(db, job.id)).job.status)
        return ended

    return sweep


async def _asked(router):
    link = KeepAlive(router.http, host=SHOP_NAME)
    got = await link.get("/number")
    link.close()
    return got.status, got.body.strip()


async def test_a_site_moves_and_the_router_of_before_forgets_it_when_it_is_back(
    db, queue, standing, carried_out, router, other, give, swept
):
    await standing(1)
    await carried_out(JobKind.DEACTIVATE, app_server="shop:1", drain=0)
    await asyncio.to_thread(router.stop)
    await give("other")
    [first] = await jobs_of(db, JobKind.ROUTE)
    await services.commands.cancel(db, queue, first.id, actor="ann")
    assert sorted(await swept()) == [JobStatus.FAILED, JobStatus.SUCCEEDED]
    job = await carried_out(JobKind.ACTIVATE, app_servers=("shop:1",), watch=0, drain=0)
    assert (job.status, await _asked(other)) == (JobStatus.SUCCEEDED, (200, "1"))
    with pytest.raises(InUse, match="routes to forget, of shop"):
        await services.routers.delete(db, "edge", expected=None)

    await asyncio.to_thread(router.start)
    assert await swept() == [JobStatus.SUCCEEDED]
    assert (list(router.sites.iterdir()), router.folder_of("shop").exists()) == ([], False)
    assert await _asked(other) == (200, "1")
    await services.routers.delete(db, "edge", expected=None)


async def test_an_instance_goes_only_when_its_router_has_forgotten_it(
    db, queue, vault, carried_out, shop, router, give, swept
):
    await execute(db, "UPDATE instances SET route_version = 3")
    assert await swept() == [JobStatus.SUCCEEDED]
    await asyncio.to_thread(router.stop)
    await give(None)
    assert await swept() == [JobStatus.FAILED]
    with pytest.raises(InUse, match="a route on router edge"):
        await services.instances.delete(db, "shop", expected=None)
    await asyncio.to_thread(router.start)
    assert router.site("shop").exists()
    assert await swept() == [JobStatus.SUCCEEDED]
    await services.instances.delete(db, "shop", expected=None)
    assert not list(router.sites.iterdir())
