"""A worker's handles, and a machine behind a real SSH server with room for sites."""

import asyncio
import contextlib
from datetime import timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis

from app import services
from app.domain.job import LeasePolicy
from app.gateways.locks import Locks
from tests.support import factories, sites
from tests.support.ssh_server import running_server
from tests.support.stack import free_port
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
    port = free_port()
    host = await factories.add_host(
        db,
        address=address.host,
        port=address.port,
        username=address.user,
        host_key=address.host_key,
        port_first=port,
        port_last=port + 9,
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
