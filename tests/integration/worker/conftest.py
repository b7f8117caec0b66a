"""A worker's handles, and a machine behind a real SSH server with room for sites."""

import asyncio
import contextlib
import random
import socket
from datetime import timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis

from app import services, store
from app.domain.job import JobKind, JobStatus, LeasePolicy
from app.domain.router import RouterKind
from app.gateways.locks import Locks
from tests.support import factories, sites
from tests.support.router_load import KeepAlive
from tests.support.routers import RealRouter
from tests.support.ssh_server import running_server
from tests.support.told import said
from worker.jobs.locking import JobLocks
from worker.jobs.run_job import run_job
from worker.jobs.runtime import Runtime
from worker.remote.hosts import Pool

RECIPE = f"""
name: slow
settings:
  BUILD: {{default: "true"}}
build:
  - name: build
    run: eval "$BUILD"
start:
  run: {sites.SERVE}
check: {{path: /, every: 0.1}}
"""

SHOP_NAME = "shop.example"
#: Each app server answers with its number; `diary` tells what its background was told.
SHOP_RECIPE = f"""
name: shop
build:
  - name: page
    run: echo "${{RELEASE_DIR##*-}}" > number
start: {{run: {sites.SERVE}}}
check: {{path: /number, every: 0.1}}
background:
  start:
    - name: worker
      run: |
        test ! -e "$SHARED_DIR/broken-${{RELEASE_DIR##*-}}"
        echo "start ${{RELEASE_DIR##*-}}" >> "$SHARED_DIR/diary"
  stop:
    - name: worker
      run: echo "stop ${{RELEASE_DIR##*-}}" >> "$SHARED_DIR/diary"
"""

#: Ports in a row for the sites of one host.
_ROW = 10


def free_row() -> int:
    """The first of ten ports that nobody has; from where no outgoing connection takes any."""
    rows = random.sample(range(10_000, 20_000, _ROW), 100)
    return next(first for first in rows if all(map(is_free, range(first, first + _ROW))))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
async def machine(tmp_path):
    async with running_server(tmp_path / "machine") as server:
        yield server
        for run in server.base.glob("apps/*/run/*"):
            runner = next(server.base.glob("runner/*.sh"))
            process = await asyncio.create_subprocess_exec("sh", runner, "stop", run, "1")
            await process.wait()


@pytest.fixture
async def ctx(db, queue, vault, wakeups, redis_url, machine):
    await services.identities.import_key(db, vault, machine.identity)
    async with Redis.from_url(redis_url) as redis, Pool() as pool:
        locks = Locks(redis, ttl=LeasePolicy().lease)
        yield {"runtime": Runtime(db, queue, locks, vault, wakeups, pool, "worker-1")}


@pytest.fixture
async def site(db, machine, tmp_path):
    """Make an instance on the machine, with settings."""
    address = machine.address
    port = free_row()
    host = await factories.add_host(
        db,
        address=address.host,
        port=address.port,
        username=address.user,
        host_key=address.host_key,
        port_first=port,
        port_last=port + _ROW - 1,
        next_port=port,
    )
    repository = sites.repository(tmp_path / "site")

    async def make(recipe=RECIPE, **settings):
        recipe = await factories.add_recipe(db, recipe)
        return await factories.add_instance(
            db, recipe=recipe, host=host, repository=repository, revision="v1", settings=settings
        )

    return make


@pytest.fixture
def handed_over(db, ctx):
    """Let a first worker begin the job, and stop that worker once a step has said the word."""

    async def begin(job, word):
        first = asyncio.create_task(run_job(ctx, str(job.id), 1))
        await said(db, job, word)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first

    return begin


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def pushed(redis):
    """Ids of the jobs that a worker is asked to look at, since the last call."""

    async def look():
        names = await redis.zrange("arq:queue", 0, -1)
        keys = await redis.keys("arq:*")
        if keys:
            await redis.delete(*keys)
        return [UUID(name.decode().partition(":")[0]) for name in names]

    return look


@pytest.fixture
def locks_of(db, ctx):
    async def make(job, *, attempt=1):
        runtime = ctx["runtime"]
        work = await services.work.look(db, job.id)
        return JobLocks(runtime.locks, runtime.queue, work, attempt=attempt, worker="worker-1")

    return make


@pytest.fixture
def go(machine):
    def tell():
        (machine.base / "apps/shop/shared/go").touch()

    return tell


@pytest.fixture
def hasty(monkeypatch):
    """Locks are renewed twenty times a second."""

    def make(self):
        object.__setattr__(self, "lease", timedelta(seconds=10))
        object.__setattr__(self, "renew_every", timedelta(milliseconds=50))

    monkeypatch.setattr(LeasePolicy, "__init__", make)


@pytest.fixture
def router(machine, tmp_path_factory):
    found = RealRouter(RouterKind.CADDY, tmp_path_factory.mktemp("caddy"), machine.base)
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def shop(db, site, router):
    """An instance behind the router."""
    instance = await site(recipe=SHOP_RECIPE)
    host = (await services.hosts.get(db, "alpha")).host
    row = await factories.add_router(db, host, options=router.options)
    await factories.change(db, instance, router_id=row.id, domain=SHOP_NAME)
    return instance


@pytest.fixture
def carried_out(db, queue, vault, ctx):
    """Ask for a job and carry it out; how it ended."""

    async def carry_out(kind, **values):
        job = (await factories.request(db, queue, vault, kind=kind, **values)).job
        await run_job(ctx, str(job.id), 1)
        return (await services.jobs.get(db, job.id)).job

    return carry_out


@pytest.fixture
def standing(carried_out, shop):
    """Provision so many app servers, the first of which goes into service."""

    async def make(many):
        for _ in range(many):
            job = await carried_out(JobKind.PROVISION)
            assert job.status is JobStatus.SUCCEEDED, job.error
        job = await carried_out(JobKind.ACTIVATE, app_servers=("shop:1",), watch=0, drain=1)
        assert job.status is JobStatus.SUCCEEDED, job.error
        return job

    return make


@pytest.fixture
def serving(router):
    """The number of the app server that answers a visitor, or the status."""

    async def ask():
        link = KeepAlive(router.http, host=SHOP_NAME)
        got = await link.get("/number")
        link.close()
        return int(got.body) if got.status == 200 else got.status

    return ask


@pytest.fixture
def active(db):
    async def ask():
        view = await services.instances.get(db, "shop")
        async with db.transaction() as session:
            rows = await store.app_servers.list_active(session, view.instance.id)
        return [row.number for row in rows]

    return ask


def diary(machine):
    return (machine.base / "apps/shop/shared/diary").read_text().splitlines()
