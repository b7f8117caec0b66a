"""Locking itself fails: Redis is away, or a host remembers newer tokens than Postgres."""

import dataclasses

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from app import services
from app.domain.event import EventType
from app.domain.job import EndingWhy, JobStatus, LeasePolicy, Outcome, WaitPolicy
from app.gateways.locks import Locks
from tests.integration.worker.conftest import RECIPE
from tests.support import factories
from worker.jobs.run_job import run_job

MOST = WaitPolicy().most_locking_failures
RAISED = EventType.LOCK_TOKEN_RAISED
HOPELESS = RECIPE.replace("check: {path: /,", "check: {path: /, contains: never, tries: 2,")


@pytest.fixture
async def deaf(ctx, tmp_path):
    """A worker whose locks are away, while everything else works."""
    async with Redis(unix_socket_path=str(tmp_path / "none")) as nowhere:
        locks = Locks(nowhere, ttl=LeasePolicy().lease)
        yield {"runtime": dataclasses.replace(ctx["runtime"], locks=locks)}


async def sql(db, statement):
    async with db.transaction() as session:
        return (await (await session.connection()).execute(text(statement))).first()


async def try_often(db, ctx, job, *, attempt):
    for number in range(1, MOST):
        await run_job(ctx, str(job.id), attempt)
        [who] = (await services.jobs.get(db, job.id)).job.blocked_by
        assert (who["kind"], who["attempts"]) == ("locks-unavailable", number)
    await run_job(ctx, str(job.id), attempt)
    return await services.jobs.get(db, job.id)


async def test_a_job_whose_locks_cannot_be_asked_for_is_failed_after_ten_times(
    db, queue, vault, deaf, site
):
    await site()
    job = (await factories.request(db, queue, vault)).job
    view = await try_often(db, deaf, job, attempt=1)
    assert (view.job.status, view.job.outcome) == (JobStatus.FAILED, Outcome.UNCHANGED)
    assert view.job.error["code"] == "locks-unavailable"
    assert f"{MOST} times in a row" in view.job.error["detail"]
    types = await factories.event_types(db, job.id)
    assert types.count(EventType.JOB_BLOCKED) == 1
    assert types[-1] == EventType.JOB_FAILED


async def test_failures_of_another_day_are_not_in_a_row(db, queue, vault, deaf, site):
    await site()
    job = (await factories.request(db, queue, vault)).job
    for _ in range(MOST - 1):
        await run_job(deaf, str(job.id), 1)
    await sql(
        db,
        "UPDATE jobs SET blocked_by = jsonb_set(blocked_by, '{0,at}',"
        " to_jsonb(clock_timestamp() - interval '1 hour')) RETURNING id",
    )
    await run_job(deaf, str(job.id), 1)
    seen = (await services.jobs.get(db, job.id)).job
    assert (seen.status, seen.blocked_by[0]["attempts"]) == (JobStatus.BLOCKED, 1)


async def test_a_canceled_job_says_what_keeps_it_and_goes_on_trying(
    db, queue, vault, deaf, site, handed_over
):
    await site(BUILD="echo begun; sleep 60")
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "begun")
    await services.commands.cancel(db, queue, job.id, actor="ann")
    for _ in range(MOST + 1):
        await run_job(deaf, str(job.id), 2)
    seen = (await services.jobs.get(db, job.id)).job
    assert seen.status is JobStatus.CANCELING
    assert (seen.blocked_by[0]["kind"], seen.blocked_by[0]["attempts"]) == (
        "locks-unavailable",
        MOST + 1,
    )


async def test_it_is_tried_again_after_a_second_without_a_worker(db, queue, vault, deaf, site):
    await site()
    job = (await factories.request(db, queue, vault)).job
    await run_job(deaf, str(job.id), 1)
    found = await sql(
        db,
        "SELECT status, worker, dispatched_at + interval '4 s' <= clock_timestamp() AS is_early,"
        " dispatched_at + interval '5 s' > created_at + interval '1 s' AS is_late FROM jobs",
    )
    assert tuple(found) == ("blocked", None, True, True)


async def test_the_count_begins_anew_once_redis_has_answered(
    db, queue, vault, ctx, deaf, site, redis_url
):
    await site()
    first, second = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    await run_job(deaf, str(second.id), 1)
    await run_job(ctx, str(second.id), 1)
    [who] = (await services.jobs.get(db, second.id)).job.blocked_by
    assert (who["kind"], who["job"]) == ("order", str(first.id))
    await run_job(deaf, str(second.id), 1)
    assert (await services.jobs.get(db, second.id)).job.blocked_by[0]["attempts"] == 1


async def test_a_begun_job_is_told_to_end_and_when_that_fails_too_it_says_so(
    db, queue, vault, deaf, site, handed_over
):
    await site(BUILD="echo begun; sleep 600")
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "begun")
    view = await try_often(db, deaf, job, attempt=2)
    assert view.job.ending["why"] == EndingWhy.LOCK_WAIT
    view = await try_often(db, deaf, job, attempt=2)
    assert (view.job.status, view.job.outcome) == (JobStatus.FAILED, Outcome.ROLLBACK_FAILED)
    assert view.job.error["code"] == "locks-unavailable"


async def test_a_begun_job_that_was_told_to_end_is_undone_when_redis_is_back(
    db, queue, vault, ctx, deaf, site, handed_over
):
    await site(BUILD="echo begun; sleep 600")
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "begun")
    await try_often(db, deaf, job, attempt=2)
    await run_job(ctx, str(job.id), 2)
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.outcome) == (JobStatus.FAILED, Outcome.ROLLED_BACK)
    assert view.job.error["code"] == "lock-wait-timeout"


async def test_after_postgres_lost_tokens_the_next_attempt_gets_one_that_the_host_takes(
    db, queue, vault, ctx, site
):
    await site()
    first = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(first.id), 1)
    await sql(db, "UPDATE locks SET token = 7 RETURNING 1")
    second = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(second.id), 1)
    await sql(db, "UPDATE locks SET token = 0 RETURNING 1")
    third = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(third.id), 1)
    name = f"instance:{third.instance_id}"
    told = [event for event in await factories.events(db, third.id) if event.type == RAISED]
    assert [event.data for event in told] == [{"name": name, "ours": 1, "host": 8}]
    assert (await services.jobs.get(db, third.id)).job.status is JobStatus.QUEUED
    await run_job(ctx, str(third.id), 2)
    view = await services.jobs.get(db, third.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
    assert (await sql(db, "SELECT token FROM locks")).token == 10


async def test_an_undo_that_the_host_refuses_for_its_token_is_done_by_the_next_attempt(
    db, queue, vault, ctx, site, machine
):
    await site(HOPELESS)
    job = (await factories.request(db, queue, vault)).job
    before = services.execution.finish_step

    async def forget(*args, **kwargs):
        await before(*args, **kwargs)
        if kwargs["status"] == "failed":
            [token] = (machine.base / "locks").glob("*.token")
            token.write_text("41\n")

    services.execution.finish_step = forget
    try:
        await run_job(ctx, str(job.id), 1)
    finally:
        services.execution.finish_step = before
    assert RAISED in await factories.event_types(db, job.id)
    await run_job(ctx, str(job.id), 2)
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.outcome) == (JobStatus.FAILED, Outcome.ROLLED_BACK)
    assert view.job.error["code"] == "check-failed"


async def test_an_attempt_that_is_not_the_newest_raises_no_token(db, queue, vault, ctx, site):
    await site(BUILD="echo begun; sleep 600")
    job = (await factories.request(db, queue, vault)).job
    work = await services.work.look(db, job.id)
    name = f"instance:{job.instance_id}"
    claim = await services.claiming.claim(db, work, attempt=1, worker="w", lock_names=[name])
    await services.claiming.hand_over(db, claim.job)
    with pytest.raises(services.claiming.LostOwnership):
        await services.fencing.raise_token(db, claim.job, lock=name, ours=1, host=8)
    assert (await sql(db, "SELECT token FROM locks")).token == 1
    assert RAISED not in await factories.event_types(db, job.id)
