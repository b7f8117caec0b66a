"""An activation at its bounds: told to stop while it waits, locked by hand, given to others."""

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.domain.job import JobKind, JobStatus, Outcome, ServiceState, WaitPolicy
from tests.integration.worker.conftest import diary
from tests.support import deployments, factories
from tests.support.told import said
from worker.jobs.run_job import run_job

pytestmark = pytest.mark.timeout(180)

LONGEST = 3600
#: Seconds that an order to stop may take to be carried out, on a busy machine.
SOON = 20


@pytest.fixture
def begun(db, queue, vault, ctx):
    """An activation of the second app server that has said the words, and who carries it out."""

    async def begin(words, **values):
        asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), **values}
        job = (await factories.request(db, queue, vault, **asked)).job
        running = asyncio.create_task(run_job(ctx, str(job.id), 1))
        await said(db, job, words)
        return job, running

    return begin


async def check_turned_back(serving, active, machine):
    assert (await serving(), await active()) == (1, [1])
    assert diary(machine)[-2:] == ["stop 2", "start 1"]
    assert (machine.base / "apps/shop/current").readlink().name.endswith("-1")


async def test_the_longest_drain_ends_at_once_when_it_is_canceled(
    db, queue, ctx, begun, standing, serving, active, machine
):
    await standing(2)
    [first, _] = await deployments.app_servers(db)
    with socket.create_connection((first.address, first.port)):
        job, running = await begun("waiting for at most 3600 s", drain=LONGEST, watch=0)
        assert await serving() == 2
        asked = time.monotonic()
        await services.commands.cancel(db, queue, job.id, actor="ann")
        ctx["runtime"].wakeups.wake(f"ending:{job.id}")
        await running
        assert time.monotonic() - asked < SOON
    ended = await deployments.job_of(db, job.id)
    assert (ended.status, ended.outcome) == (JobStatus.CANCELED, Outcome.ROLLED_BACK)
    assert ended.service_state is ServiceState.SERVING_OLD
    await check_turned_back(serving, active, machine)


async def test_a_deadline_that_falls_into_the_watch_turns_back(
    db, ctx, begun, standing, serving, active, machine
):
    await standing(2)
    soon = datetime.now(UTC) + timedelta(hours=1)
    job, running = await begun("after 0 s", drain=0, watch=LONGEST, deadline=soon)
    await deployments.execute(db, "UPDATE jobs SET deadline = now() WHERE id = $1", job.id)
    await services.recovery.recover(db, policy=WaitPolicy())
    ctx["runtime"].wakeups.wake(f"ending:{job.id}")
    await running
    ended = await deployments.job_of(db, job.id)
    assert (ended.status, ended.error["code"]) == (JobStatus.FAILED, "deadline-exceeded")
    assert (ended.outcome, ended.service_state) == (Outcome.ROLLED_BACK, ServiceState.SERVING_OLD)
    await check_turned_back(serving, active, machine)


async def test_a_lock_that_is_placed_during_the_watch_keeps_nobody_from_ending_it(
    db, queue, vault, ctx, standing, serving, active, handed_over
):
    """What has begun goes on, also with the next worker; what has not is refused."""
    await standing(2)
    asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": 3, "drain": 0}
    job = (await factories.request(db, queue, vault, **asked)).job
    await handed_over(job, "after 0 s")
    behind = (
        await factories.request(
            db, queue, vault, kind=JobKind.ACTIVATE, app_servers=("shop:1",), watch=0, drain=0
        )
    ).job
    await services.locks.place(db, on="instance:shop", message="not today", actor="ann")
    await run_job(ctx, str(job.id), 2)
    await run_job(ctx, str(behind.id), 1)
    assert (await deployments.job_of(db, job.id)).status is JobStatus.SUCCEEDED
    refused = await deployments.job_of(db, behind.id)
    assert (refused.status, refused.error["code"]) == (JobStatus.FAILED, "manual-lock")
    assert (await serving(), await active()) == (2, [2])


async def test_the_next_worker_watches_only_for_what_is_left(
    db, queue, vault, ctx, standing, handed_over
):
    """Two of the three seconds are over when the first hands it over; nobody begins anew."""
    await standing(2)
    asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": LONGEST, "drain": 0}
    job = (await factories.request(db, queue, vault, **asked)).job
    await handed_over(job, "after 0 s")
    ago = "UPDATE steps SET started_at = started_at - $2::interval WHERE job_id = $1"
    await deployments.execute(db, ago, job.id, timedelta(seconds=LONGEST - 2))
    began = time.monotonic()
    await run_job(ctx, str(job.id), 2)
    assert time.monotonic() - began < SOON
    ended = await deployments.job_of(db, job.id)
    assert (ended.status, ended.service_state) == (JobStatus.SUCCEEDED, ServiceState.SERVING_NEW)
    await said(db, job, f"watched for {LONGEST} s: ")
