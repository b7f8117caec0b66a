"""A router that somebody else changed is found by a look, told by a job, and serves again."""

import asyncio
import shutil
import socket
from dataclasses import replace
from datetime import timedelta
from urllib.request import Request, urlopen

import pytest

from app import services
from app.domain.job import JobKind, JobStatus, Outcome
from app.domain.router import RouterKind
from tests.integration.worker.conftest import SHOP_NAME, SHOP_RECIPE
from tests.support import factories
from tests.support.deployments import execute, jobs_of
from tests.support.router_load import close_clients
from tests.support.routers import KINDS, running
from worker.jobs.run_job import run_job
from worker.jobs.sweep import sweep_forever
from worker.jobs.sweeping_routers import sweep_routers

pytestmark = pytest.mark.timeout(180)

EVERY = timedelta(minutes=5)
EACH = pytest.mark.parametrize("kind", KINDS, ids=str)


@pytest.fixture
def kind():
    """Caddy, unless a test names others."""
    return RouterKind.CADDY


@pytest.fixture
def router(machine, kind):
    with running(kind, machine.base) as real:
        yield real


@pytest.fixture
async def shop(db, site, router, kind):
    instance = await site(recipe=SHOP_RECIPE)
    host = (await services.hosts.get(db, "alpha")).host
    row = await factories.add_router(db, host, kind=kind, options=router.options)
    await factories.change(db, instance, router_id=row.id, domain=SHOP_NAME)
    return instance


@pytest.fixture(autouse=True)
async def _clients():
    yield
    await close_clients()


@pytest.fixture
def looked(db, queue, ctx):
    """Have all routers looked at, and what that asks for carried out; those jobs."""

    async def look():
        await execute(db, "UPDATE routers SET look_at = NULL")
        await sweep_routers(ctx["runtime"], EVERY)
        known = {job.id for job in await jobs_of(db, JobKind.ROUTE)}
        await services.dirty_routes.sweep(db, queue)
        new = [job for job in await jobs_of(db, JobKind.ROUTE) if job.id not in known]
        for job in new:
            await run_job(ctx, str(job.id), 1)
        return [(await services.jobs.get(db, job.id)).job for job in new]

    return look


async def _until(is_it):
    async with asyncio.timeout(30):
        while not await is_it():
            await asyncio.sleep(0.05)


def _sites_are_deleted(router):
    """By Caddy's own interface."""
    request = Request(f"http://127.0.0.1:{router.control}/config/apps/http", method="DELETE")
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def _started_without_sites(router):
    """From another main file than the one that is there afterwards."""
    kept = router.config.read_text()
    router.config.write_text(kept.partition("import")[0])
    router.restart()
    router.config.write_text(kept)


def _address_is_set(router):
    """By HAProxy's socket."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(router.options["socket"])
        link.sendall(b"set server liftlock-shop/s1 addr 127.0.0.1 port 1\n")
        assert b"change" in link.recv(1000)


def _files_are_removed(router):
    """Without its backends the one frontend would not let HAProxy start."""
    for path in router.sites.iterdir():
        path.unlink()
    router.restart()


def _link_is_removed(router):
    (router.folder_of("shop") / "current").unlink()


def _route_is_removed(router):
    shutil.rmtree(router.folder_of("shop"))


def _site_is_changed(router):
    site = router.site("shop")
    site.write_text(site.read_text().replace(SHOP_NAME, "other.example"))


def _site_is_removed(router):
    router.site("shop").unlink()


def _address_is_changed(router):
    for slot in (router.folder_of("shop") / "current").glob("[0-9]*"):
        (slot / "address").write_text("127.0.0.1:1")


HARMS = (_link_is_removed, _route_is_removed, _site_is_changed, _site_is_removed)
OWN_HARMS = {
    RouterKind.CADDY: (_sites_are_deleted, _started_without_sites, _address_is_changed),
    RouterKind.HAPROXY: (_address_is_set, _files_are_removed),
    RouterKind.NGINX: (_files_are_removed,),
}


@EACH
async def test_whatever_somebody_else_changed_is_repaired(standing, router, kind, looked, serving):
    await standing(1)
    for harm in (*HARMS, *OWN_HARMS.get(kind, ())):
        await asyncio.to_thread(harm, router)
        [job] = await looked()
        assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.CHANGED), (
            harm,
            job.error,
        )
        assert await serving() == 1, harm
        assert await looked() == [], harm


@EACH
async def test_a_router_that_was_restarted_has_lost_nothing(standing, router, looked, serving):
    await standing(1)
    await asyncio.to_thread(router.restart)
    assert (await looked(), await serving()) == ([], 1)


async def test_what_was_found_is_told_by_the_job_and_by_the_router(
    db, standing, router, looked, serving
):
    await standing(1)
    _link_is_removed(router)
    [job] = await looked()
    [told] = [one for one in await factories.events(db, job.id) if one.type == "route.drifted"]
    [drift] = (await services.routers.get(db, "edge")).standing.drifts
    for said in (told.data["found"], drift["found"]):
        assert said.startswith("the router passes requests to others; found: nobody, wanted: 127.")
    assert drift["repaired_at"] > drift["at"]


async def test_a_router_that_does_not_answer_is_no_reason_for_a_job(
    db, standing, router, looked, serving
):
    await standing(1)
    await asyncio.to_thread(router.stop)
    assert await looked() == []
    row = (await services.routers.get(db, "edge")).router
    assert row.look_error.startswith("caddy does not answer on its host")
    await asyncio.to_thread(router.start)
    assert await looked() == []
    assert (await services.routers.get(db, "edge")).router.look_error is None


async def test_a_host_that_does_not_answer_is_told_and_nothing_else(db, standing, looked):
    await standing(1)
    await execute(db, "UPDATE hosts SET port = 1")
    assert await looked() == []
    assert "alpha" in (await services.routers.get(db, "edge")).router.look_error


async def test_a_look_leaves_nothing_on_the_host(standing, machine, looked, serving):
    await standing(1)
    before = {path.name for path in (machine.base / "steps").iterdir()}
    await looked()
    assert {path.name for path in (machine.base / "steps").iterdir()} <= before


async def test_a_worker_looks_by_itself(db, ctx, standing):
    await standing(1)
    running = asyncio.create_task(sweep_forever(replace(ctx["runtime"], look_every=EVERY)))

    async def is_seen():
        return (await services.routers.get(db, "edge")).router.looked_at is not None

    await _until(is_seen)
    running.cancel()
    await asyncio.wait([running])
