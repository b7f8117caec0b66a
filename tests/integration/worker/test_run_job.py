"""One job from claim to end, with the real engine, a real SSH server, Postgres and Redis."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app import services
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus, LeasePolicy
from tests.support import deployments, factories
from tests.support.told import said
from worker import engine
from worker.jobs.run_job import run_job


async def test_a_job_ends_with_its_site_running(db, queue, vault, ctx, site):
    await site()
    job = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(job.id), 1)
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
    assert view.app_server.status == "running"


async def test_a_worker_that_stops_hands_its_job_over_and_the_step_happens_once(
    db, queue, vault, ctx, handed_over, site, machine
):
    await site(BUILD='echo begun; echo x >> "$SHARED_DIR/effect"; sleep 1; echo finished')
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "begun")
    assert (await services.jobs.get(db, job.id)).job.status is JobStatus.QUEUED
    await run_job(ctx, str(job.id), 2)
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
    assert (machine.base / "apps/shop/shared/effect").read_text() == "x\n"
    await said(db, job, "finished")


async def test_a_second_job_is_blocked_with_the_holder_named_and_woken_at_the_end(
    db, queue, vault, ctx, site, redis_url
):
    await site(BUILD="echo begun; sleep 1")
    first = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(first.id), 1))
    await said(db, first, "begun")
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
    await said(db, job, "begun")
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        await running
    assert (await services.jobs.get(db, job.id)).job.status is JobStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "final"),
    [("new", "error"), ("waiting", "error"), ("configuring", "failed"), ("running", "running")],
)
async def test_a_bug_fails_the_job_and_does_not_stop_the_worker(
    db, queue, vault, ctx, site, monkeypatch, status, final
):
    """Case 16: the app server fails as by any other error, and the worker's log has the trace."""

    async def broken(*_, **__):
        await deployments.execute(db, "UPDATE app_servers SET status = $1", status)
        raise KeyError("a bug")

    monkeypatch.setattr(engine, "run", broken)
    await site()
    job = (await factories.request(db, queue, vault)).job
    with capture_logs() as logs:
        await run_job(ctx, str(job.id), 1)
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.error["code"]) == (JobStatus.FAILED, "internal-error")
    assert view.job.service_state == "unknown"
    assert view.app_server.status == final
    assert (await factories.event_types(db, job.id))[-1] == EventType.JOB_FAILED
    crashed = [one for one in logs if one["event"] == "job.crashed"]
    assert [(one["job"], one["exc_info"]) for one in crashed] == [(str(job.id), True)]


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
