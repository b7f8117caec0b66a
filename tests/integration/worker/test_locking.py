"""The locks of a job that works: their note, their loss, and who has them next."""

import asyncio
import json
from uuid import uuid4

import pytest

from app import services
from app.domain.event import EventType
from app.domain.job import JobStatus
from app.gateways.locks import LockLost
from tests.support import factories
from tests.support.told import happened, said
from worker.jobs.run_job import run_job

#: Ends when the test says so, by a file in the site's shared folder.
UNTIL_TOLD = 'echo begun; until [ -e "$SHARED_DIR/go" ]; do sleep 0.05; done'
TITLE = "Build: build"


async def note_of(redis, job):
    return json.loads(await redis.hget(f"lock:held:instance:{job.instance_id}", "note"))


async def status(db, job):
    return (await services.jobs.get(db, job.id)).job.status


async def test_the_note_tells_who_holds_the_lock_and_how_far_that_is(
    db, queue, vault, ctx, site, redis, hasty, go
):
    await site(BUILD=UNTIL_TOLD)
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await said(db, job, "begun")
    async with asyncio.timeout(20):
        while (note := await note_of(redis, job)).get("step") != TITLE:
            await asyncio.sleep(0.01)
    assert note | {"since": None, "step_since": None} == {
        "locks": [f"instance:{job.instance_id}"],
        "job": str(job.id),
        "job_kind": "provision",
        "actor": "tests",
        "why": "provision of shop to v1",
        "worker": "worker-1",
        "attempt": 1,
        "since": None,
        "step": TITLE,
        "step_since": None,
    }
    assert note["since"] < note["step_since"]
    go()
    await running


async def test_who_waits_knows_the_holder_and_its_place(db, queue, vault, ctx, site, locks_of):
    await site()
    jobs = [(await factories.request(db, queue, vault)).job for _ in range(3)]
    holder = await locks_of(jobs[0])
    await holder.acquire()
    for job in jobs[1:]:
        await run_job(ctx, str(job.id), 1)
    first, second = [(await services.jobs.get(db, job.id)).job.blocked_by[0] for job in jobs[1:]]
    assert (first["kind"], first["job"], first["position"]) == ("lock", str(jobs[0].id), 1)
    assert (first["why"], second["position"]) == ("provision of shop to v1", 2)


async def test_a_refusal_that_comes_again_is_told_once(db, queue, vault, ctx, site, locks_of):
    await site()
    first, second = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    holder = await locks_of(first)
    await holder.acquire()
    await run_job(ctx, str(second.id), 1)
    holder.tell_step("another step")
    await holder.renew()
    await run_job(ctx, str(second.id), 1)
    assert (await factories.event_types(db, second.id)).count(EventType.JOB_BLOCKED) == 1
    [who] = (await services.jobs.get(db, second.id)).job.blocked_by
    assert who["step"] == "another step"


async def test_a_holder_that_lost_its_lock_stops_at_once_and_the_next_attempt_goes_on(
    db, queue, vault, ctx, site, redis, machine, hasty, go
):
    await site(BUILD=f'echo x >> "$SHARED_DIR/effect"; {UNTIL_TOLD}')
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await said(db, job, "begun")
    await redis.flushall()
    thief = await ctx["runtime"].locks.try_acquire(
        [f"instance:{job.instance_id}"], job=uuid4(), attempt=1, place=0, note={}
    )
    await running
    await happened(db, job, EventType.JOB_HANDED_OVER)
    assert await status(db, job) is JobStatus.QUEUED
    await ctx["runtime"].locks.release(thief)
    go()
    await run_job(ctx, str(job.id), 2)
    assert await status(db, job) is JobStatus.SUCCEEDED
    assert (machine.base / "apps/shop/shared/effect").read_text() == "x\n"


async def test_a_lock_that_redis_forgot_is_had_again_from_who_took_it_for_a_moment(
    db, queue, vault, site, locks_of, redis
):
    await site()
    first, second = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    holder, other = await locks_of(first), await locks_of(second)
    await holder.acquire()
    await redis.flushall()
    await other.acquire()
    renewing = asyncio.create_task(holder.renew())
    async with asyncio.timeout(20):
        while not await redis.exists(f"lock:ticket:{first.id}"):
            await asyncio.sleep(0.001)
    await other.release()
    await renewing
    assert (await note_of(redis, first))["job"] == str(first.id)


async def test_a_lock_that_another_job_keeps_is_lost(db, queue, vault, site, locks_of, redis):
    await site()
    first, second = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    holder, other = await locks_of(first), await locks_of(second)
    await holder.acquire()
    await redis.flushall()
    await other.acquire()
    with pytest.raises(LockLost, match=str(second.id)):
        await holder.renew()


async def test_a_worker_that_stops_leaves_the_locks_to_the_jobs_next_attempt(
    db, queue, vault, ctx, site, handed_over, pushed, go
):
    await site(BUILD=UNTIL_TOLD)
    first, second = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    await handed_over(first, "begun")
    assert first.id in await pushed()
    await run_job(ctx, str(second.id), 1)
    [who] = (await services.jobs.get(db, second.id)).job.blocked_by
    assert (who["kind"], who["job"]) == ("lock", str(first.id))
    go()
    await run_job(ctx, str(first.id), 2)
    assert await status(db, first) is JobStatus.SUCCEEDED
    assert await pushed() == [second.id]
