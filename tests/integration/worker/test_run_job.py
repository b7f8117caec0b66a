"""One job from claim to end, with the real engine, a real SSH server, Postgres and Redis."""

import asyncio
import contextlib
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from app import services
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus, LeasePolicy
from app.gateways.locks import Locks
from tests.support import factories, sites
from tests.support.ssh_server import running_server
from tests.support.stack import free_port
from worker import engine
from worker.jobs.run_job import run_job
from worker.jobs.runtime import Runtime

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
async def ctx(db, queue, vault, redis_url, machine):
    await services.identities.import_key(db, vault, machine.identity)
    async with Redis.from_url(redis_url) as redis:
        locks = Locks(redis, ttl=LeasePolicy().lease)
        yield {"runtime": Runtime(db, queue, locks, vault, "worker-1")}


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
        port_last=port + 1,
        next_port=port,
    )
    repository = sites.repository(tmp_path / "site")
    recipe = await factories.add_recipe(db, RECIPE)

    async def make(**settings):
        return await factories.add_instance(
            db, recipe=recipe, host=host, repository=repository, revision="v1", settings=settings
        )

    return make


async def _step_output(db, job, text):
    """Wait until the job has said it."""
    async with asyncio.timeout(20):
        while True:
            events = await services.jobs.events(db, job.id, after=0, limit=1000)
            if any(text in str(event.data.get("text")) for event in events):
                return
            await asyncio.sleep(0.01)


async def test_a_job_ends_with_its_site_running(db, queue, vault, ctx, site):
    await site()
    job = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(job.id), 1)
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
    assert view.app_server.status == "running"


async def test_a_worker_that_stops_hands_its_job_over_and_the_step_happens_once(
    db, queue, vault, ctx, site, machine
):
    await site(BUILD='echo begun; echo x >> "$SHARED_DIR/effect"; sleep 1; echo finished')
    job = (await factories.request(db, queue, vault)).job
    first = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await _step_output(db, job, "begun")
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    assert (await services.jobs.get(db, job.id)).job.status is JobStatus.QUEUED
    await run_job(ctx, str(job.id), 2)
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
    assert (machine.base / "apps/shop/shared/effect").read_text() == "x\n"
    await _step_output(db, job, "finished")


async def test_a_second_job_is_blocked_with_the_holder_named_and_woken_at_the_end(
    db, queue, vault, ctx, site, redis_url
):
    await site(BUILD="echo begun; sleep 1")
    first = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(first.id), 1))
    await _step_output(db, first, "begun")
    second = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(second.id), 1)
    blocked = (await services.jobs.get(db, second.id)).job
    assert blocked.status is JobStatus.BLOCKED
    assert blocked.blocked_by[0]["job"] == str(first.id)
    assert blocked.blocked_by[0]["worker"] == "worker-1"
    async with Redis.from_url(redis_url) as redis:
        await redis.delete(*await redis.keys("arq:*"))
        await running
        assert await redis.zcard("arq:queue") == 1


async def test_work_goes_on_when_redis_loses_everything(
    db, queue, vault, ctx, site, redis_url, monkeypatch
):
    monkeypatch.setattr(LeasePolicy, "__init__", _hasty)
    await site(BUILD="echo begun; sleep 1")
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await _step_output(db, job, "begun")
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        await running
    assert (await services.jobs.get(db, job.id)).job.status is JobStatus.SUCCEEDED


async def test_a_bug_fails_the_job_and_does_not_stop_the_worker(
    db, queue, vault, ctx, site, monkeypatch
):
    async def broken(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(engine, "run", broken)
    await site()
    job = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(job.id), 1)
    view = await services.jobs.get(db, job.id)
    assert view.job.error["code"] == "internal-error"
    assert view.app_server.status == "error"


async def test_a_late_wake_up_does_nothing(db, queue, vault, ctx, site):
    await site()
    job = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(job.id), 1)
    before = await factories.event_types(db, job.id)
    await run_job(ctx, str(job.id), 1)
    await run_job(ctx, str(job.id), 2)
    assert await factories.event_types(db, job.id) == before
    assert before.count(EventType.JOB_STARTED) == 1


async def test_a_host_that_is_not_enrolled_is_asked_for_its_key(db, queue, vault, ctx, machine):
    address = machine.address
    await factories.add_host(db, port=address.port, username=address.user, host_key=None)
    job = (
        await factories.request(db, queue, vault, kind=JobKind.ENROLL, instance=None, host="alpha")
    ).job
    await run_job(ctx, str(job.id), 1)
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
    host = await services.hosts.get(db, "alpha")
    assert host.host.pending_host_key == address.host_key


def _hasty(self):
    object.__setattr__(self, "lease", timedelta(seconds=5))
    object.__setattr__(self, "renew_every", timedelta(milliseconds=50))
