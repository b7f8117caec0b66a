"""Jobs that wait for a lock are woken when it is their turn, whatever comes in between."""

import asyncio
import contextlib
import dataclasses

import pytest

from app import services
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus
from tests.support import factories
from worker.jobs.run_job import run_job


async def enrolment(db, queue, vault):
    return (
        await factories.request(db, queue, vault, kind=JobKind.ENROLL, instance=None, host="alpha")
    ).job


async def status(db, job):
    return (await services.jobs.get(db, job.id)).job.status


async def test_a_job_that_is_refused_while_the_holder_ends_is_woken_by_it(
    db, queue, vault, ctx, pushed, locks_of, monkeypatch
):
    """Its row did not say yet that it waits, when the holder looked for those that do."""
    await factories.add_host(db)
    first, second = [await enrolment(db, queue, vault) for _ in range(2)]
    holder = await locks_of(first)
    await holder.acquire()
    real = services.claiming.block

    async def late(*args, **kwargs):
        await pushed()
        await holder.release()
        assert await pushed() == [second.id]
        return await real(*args, **kwargs)

    monkeypatch.setattr(services.claiming, "block", late)
    await run_job(ctx, str(second.id), 1)
    assert await status(db, second) is JobStatus.BLOCKED


async def test_a_job_that_postgres_refuses_while_room_is_made_looks_once_more(
    db, queue, vault, ctx, site, monkeypatch
):
    """Its row did not say yet that it waits for room, when the other one looked for those."""
    await site()
    other = await factories.add_host(db, name="beta")
    await factories.add_instance(db, recipe=await factories.add_recipe(db), host=other, name="two")
    first = (await factories.request(db, queue, vault, instance="two")).job
    second = (await factories.request(db, queue, vault)).job
    claim = await services.claiming.claim(
        db,
        await services.work.look(db, first.id),
        attempt=1,
        worker="worker-2",
        lock_names=["instance:two"],
    )
    real = services.claiming.block

    async def late(*args, **kwargs):
        with contextlib.suppress(services.work.Over):
            await services.work.look(db, first.id)
            await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)
        return await real(*args, **kwargs)

    monkeypatch.setattr(services.claiming, "block", late)
    ctx["runtime"] = dataclasses.replace(ctx["runtime"], most_running=1)
    await run_job(ctx, str(second.id), 1)
    assert await status(db, second) is JobStatus.SUCCEEDED


async def test_a_job_that_postgres_refuses_gives_the_lock_to_the_one_that_goes_first(
    db, queue, vault, ctx, site, pushed, locks_of, monkeypatch
):
    await site()
    older, newer, newest = [(await factories.request(db, queue, vault)).job for _ in range(3)]
    real = services.claiming.claim

    async def slow(*args, **kwargs):
        for other in (newest, older):
            with contextlib.suppress(services.claiming.Blocked):
                await (await locks_of(other)).acquire()
        await pushed()
        return await real(*args, **kwargs)

    monkeypatch.setattr(services.claiming, "claim", slow)
    await run_job(ctx, str(newer.id), 1)
    [who] = (await services.jobs.get(db, newer.id)).job.blocked_by
    assert who["job"] == str(older.id)
    assert set(await pushed()) == {older.id}


async def test_who_only_asks_as_well_is_no_reason_while_another_one_is_known(
    db, queue, vault, ctx, site, locks_of
):
    await site()
    first, second, third = [(await factories.request(db, queue, vault)).job for _ in range(3)]
    await run_job(ctx, str(third.id), 1)
    asking = await locks_of(second)
    await asking.acquire()
    await run_job(ctx, str(third.id), 1)
    [who] = (await services.jobs.get(db, third.id)).job.blocked_by
    assert (who["kind"], who["job"]) == ("order", str(first.id))
    assert (await factories.event_types(db, third.id)).count(EventType.JOB_BLOCKED) == 1


async def test_a_waiting_job_that_was_canceled_passes_its_turn_on(
    db, queue, vault, ctx, site, pushed, locks_of
):
    await site()
    first, second, third = [(await factories.request(db, queue, vault)).job for _ in range(3)]
    holder = await locks_of(first)
    await holder.acquire()
    for job in (second, third):
        await run_job(ctx, str(job.id), 1)
    await services.commands.cancel(db, queue, second.id, actor="tests")
    await pushed()
    await holder.release()
    assert await pushed() == [second.id]
    await run_job(ctx, str(second.id), 1)
    assert await pushed() == [third.id]


async def test_two_messages_for_one_attempt_do_not_take_the_lock_from_each_other(
    db, queue, vault, ctx, site, locks_of, pushed
):
    await site()
    job = (await factories.request(db, queue, vault)).job
    holder = await locks_of(job)
    await holder.acquire()
    await run_job(ctx, str(job.id), 1)
    assert await status(db, job) is JobStatus.QUEUED
    await pushed()
    await holder.release(again=True)
    assert await pushed() == [job.id]


@pytest.mark.parametrize("yields", range(10))
async def test_a_cancelled_release_wakes_the_next_all_the_same(
    db, queue, vault, ctx, pushed, locks_of, yields
):
    await factories.add_host(db)
    first, second = [await enrolment(db, queue, vault) for _ in range(2)]
    holder = await locks_of(first)
    await holder.acquire()
    await run_job(ctx, str(second.id), 1)
    await pushed()
    task = asyncio.create_task(holder.release())
    await asyncio.sleep(0)
    for _ in range(yields):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert await pushed() == [second.id]
