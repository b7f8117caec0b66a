import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from app import services, store
from app.domain.app_server import AppServerStatus, WrongState
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import EndingWhy, JobKind, JobStatus, Outcome, StepStatus, WaitPolicy
from app.errors import Conflict, LostOwnership
from app.services.claiming import Blocked
from tests.support import factories

AT_ONCE = WaitPolicy(push_again_after=timedelta(0), most_lost_workers=2)


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
async def job(db, queue, vault, site):
    return (await factories.request(db, queue, vault)).job


async def _claim(db, job, *, attempt=1, worker="w1"):
    work = await services.work.look(db, job.id)
    return await services.claiming.claim(
        db, work, attempt=attempt, worker=worker, lock_names=["instance:a"]
    )


async def _expire_leases(db):
    async with db.transaction() as session:
        connection = await session.connection()
        await connection.execute(text("UPDATE jobs SET lease_until = now() - interval '1 s'"))


async def _status(db, job):
    return (await services.jobs.get(db, job.id)).job.status


async def test_a_claim_runs_the_job_as_that_attempt_with_a_token_for_each_lock(db, job):
    claim = await _claim(db, job)
    assert (claim.job.status, claim.job.attempt) == (JobStatus.RUNNING, 1)
    assert claim.tokens == {"instance:a": 1}


async def test_a_wake_up_that_comes_twice_claims_once(db, job):
    await _claim(db, job)
    with pytest.raises(LostOwnership):
        await _claim(db, job)


async def test_fencing_tokens_only_grow(db, job):
    await _claim(db, job)
    await _expire_leases(db)
    await services.recovery.recover(db, policy=AT_ONCE)
    assert (await _claim(db, job, attempt=2)).tokens == {"instance:a": 2}


async def test_an_older_request_for_the_same_instance_goes_first(db, queue, vault, site, job):
    newer = (await factories.request(db, queue, vault)).job
    with pytest.raises(Blocked) as refused:
        await _claim(db, newer)
    assert refused.value.blocked_by == [{"kind": "order", "job": str(job.id)}]


async def test_a_running_job_keeps_its_lock_even_when_redis_lost_it(db, queue, vault, site, job):
    newer = (await factories.request(db, queue, vault)).job
    await _claim(db, job)
    with pytest.raises(Blocked) as refused:
        await _claim(db, newer)
    [holder] = refused.value.blocked_by
    assert (holder["kind"], holder["job"], holder["worker"]) == ("lock", str(job.id), "w1")
    assert await _status(db, newer) is JobStatus.QUEUED


async def test_many_requests_and_claims_at_once_do_not_deadlock(db, queue, vault, site):
    jobs = await asyncio.gather(*(factories.request(db, queue, vault) for _ in range(20)))
    assert len({view.app_server.port for view in jobs}) == 20

    async def run(view):
        while True:
            try:
                claim = await _claim(db, view.job)
            except Blocked:
                await asyncio.sleep(0.01)
            else:
                await services.execution.mark_prepared(db, claim.job)
                await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)
                return

    more = [factories.request(db, queue, vault) for _ in range(10)]
    async with asyncio.timeout(50):
        await asyncio.gather(*(run(view) for view in jobs), *more)


async def test_an_instance_is_not_provisioned_where_its_data_is_not(db, queue, vault, site, job):
    running = (await _claim(db, job)).job
    await services.execution.mark_prepared(db, running)
    await services.ending.settle(db, running, status=JobStatus.SUCCEEDED)
    await factories.add_host(db, name="beta")
    with pytest.raises(Conflict, match="prepared on host alpha; beta has"):
        await factories.request(db, queue, vault, host="beta")


async def test_a_worker_that_stops_does_not_use_up_the_patience_with_lost_ones(db, job):
    for attempt in (1, 2, 3):
        running = (await _claim(db, job, attempt=attempt)).job
        await services.claiming.hand_over(db, running)
    await _claim(db, job, attempt=4)
    await _expire_leases(db)
    await services.recovery.recover(db, policy=AT_ONCE)
    assert await _status(db, job) is JobStatus.QUEUED


async def test_a_full_host_blocks_and_names_its_capacity(db, queue, vault, job):
    other = await factories.add_host(db, name="beta", capacity=1)
    await factories.add_instance(db, recipe=await factories.add_recipe(db), host=other, name="one")
    await factories.add_instance(db, recipe=await factories.add_recipe(db), host=other, name="two")
    first = (await factories.request(db, queue, vault, instance="one")).job
    second = (await factories.request(db, queue, vault, instance="two")).job
    await _claim(db, first)
    with pytest.raises(Blocked) as refused:
        await _claim(db, second)
    assert refused.value.blocked_by == [{"kind": "capacity", "host": "beta", "capacity": 1}]


async def test_being_blocked_is_told_once_for_one_holder(db, job):
    for holder in ("a", "a", "b"):
        work = await services.work.look(db, job.id)
        await services.claiming.block(db, work.job, attempt=1, blocked_by=[{"job": holder}])
    assert await _status(db, job) is JobStatus.BLOCKED
    assert (await factories.event_types(db, job.id)).count(EventType.JOB_BLOCKED) == 2


async def test_waiting_for_a_lock_ends_at_its_deadline_with_the_holder_named(db, job):
    work = await services.work.look(db, job.id)
    await services.claiming.block(db, work.job, attempt=1, blocked_by=[{"job": "rival"}])
    async with db.transaction() as session:
        connection = await session.connection()
        await connection.execute(text("UPDATE jobs SET lock_deadline = now() - interval '1 s'"))
    await services.recovery.recover(db, policy=AT_ONCE)
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.FAILED
    assert view.job.error["code"] == "lock-wait-timeout"
    assert "rival" in view.job.error["detail"]
    assert view.app_server.status is AppServerStatus.ERROR


async def test_a_silent_worker_loses_the_job_and_every_later_write(db, job):
    old = (await _claim(db, job)).job
    await _expire_leases(db)
    await services.recovery.recover(db, policy=AT_ONCE)
    assert await _status(db, job) is JobStatus.QUEUED
    await _claim(db, job, attempt=2, worker="w2")
    writes = [
        services.claiming.renew(db, old),
        services.execution.record(db, old, (EventType.STEP_OUTPUT, {})),
        services.execution.start_step(db, old, number=1, name="a", title="A"),
        services.execution.move_app_server(db, old, AppServerStatus.WAITING),
        services.execution.set_commit(db, old, "abc"),
        services.execution.mark_prepared(db, old),
        services.execution.mark_prepared(db, old, participant="database"),
        services.claiming.hand_over(db, old),
        services.ending.settle(db, old, status=JobStatus.FAILED),
    ]
    for write in writes:
        with pytest.raises(LostOwnership):
            await write
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.RUNNING
    assert view.app_server.status is AppServerStatus.NEW


async def test_between_recovery_and_the_next_claim_the_old_worker_writes_nothing(db, job):
    old = (await _claim(db, job)).job
    await _expire_leases(db)
    await services.recovery.recover(db, policy=AT_ONCE)
    with pytest.raises(LostOwnership):
        await services.execution.record(db, old, (EventType.STEP_OUTPUT, {}))


async def _lose_workers(db, job, attempts):
    for attempt in attempts:
        await _claim(db, job, attempt=attempt)
        await _expire_leases(db)
        await services.recovery.recover(db, policy=AT_ONCE)


async def test_a_job_whose_workers_keep_dying_is_only_undone(db, job):
    await _lose_workers(db, job, (1,))
    assert (await _claim(db, job, attempt=2)).ending is None
    await _expire_leases(db)
    await services.recovery.recover(db, policy=AT_ONCE)
    claim = await _claim(db, job, attempt=3)
    assert claim.ending.why is EndingWhy.WORKER_LOST
    assert "2 attempts ended that way" in claim.ending.reason
    assert claim.job.status is JobStatus.RUNNING


async def test_a_job_that_loses_the_workers_that_undo_it_is_given_up(db, job):
    await _lose_workers(db, job, (1, 2, 3))
    assert await _status(db, job) is JobStatus.QUEUED
    await _lose_workers(db, job, (4,))
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.FAILED
    assert (view.job.error["code"], view.job.outcome) == ("worker-lost", Outcome.ROLLBACK_FAILED)
    assert view.app_server.status is AppServerStatus.ERROR


async def test_finished_steps_of_an_earlier_attempt_are_told_to_the_next(db, job):
    old = (await _claim(db, job)).job
    await services.execution.start_step(db, old, number=1, name="checkout", title="Check out")
    await services.execution.finish_step(
        db,
        old,
        number=1,
        status=StepStatus.SUCCEEDED,
        exit_code=0,
        duration_ms=5,
        facts={"commit": "abc"},
        event=(EventType.STEP_SUCCEEDED, {}),
    )
    await services.execution.start_step(db, old, number=2, name="build", title="Build")
    await services.claiming.hand_over(db, old)
    assert (await _claim(db, job, attempt=2)).done == {1: {"commit": "abc"}}


async def test_an_app_server_refuses_a_move_that_its_life_does_not_allow(db, job):
    running = (await _claim(db, job)).job
    with pytest.raises(WrongState):
        await services.execution.move_app_server(db, running, AppServerStatus.RUNNING)


async def test_a_failed_end_leaves_the_app_server_failed_with_the_error(db, job):
    running = (await _claim(db, job)).job
    for status in (AppServerStatus.WAITING, AppServerStatus.CONFIGURING):
        await services.execution.move_app_server(db, running, status)
    error = {"code": "step-failed", "title": "t"}
    await services.ending.settle(db, running, status=JobStatus.FAILED, error=error)
    view = await services.jobs.get(db, job.id)
    assert view.app_server.status is AppServerStatus.FAILED
    assert view.app_server.error == error
    types = await factories.event_types(db, job.id)
    assert types[-2:] == [EventType.APP_SERVER_FAILED, EventType.JOB_FAILED]


async def test_the_end_of_a_job_names_those_that_may_run_now(db, queue, vault, job):
    newer = (await factories.request(db, queue, vault)).job
    running = (await _claim(db, job)).job
    rivals = await services.ending.settle(db, running, status=JobStatus.SUCCEEDED)
    assert rivals == [(newer.id, 1)]


async def test_a_host_is_not_marked_for_another_one_that_did_not_answer(db, job):
    running = (await _claim(db, job)).job
    running.plan = [{"name": "switch", "at": "edge"}]
    error = {"code": "host-unreachable", "step": "switch"}
    await services.ending.settle(db, running, status=JobStatus.FAILED, error=error)
    assert await _host_status(db) is HostStatus.READY


async def test_an_unreachable_host_is_marked_and_marked_ready_again(db, queue, vault, site, job):
    error = {"code": "host-unreachable"}
    running = (await _claim(db, job)).job
    await services.ending.settle(db, running, status=JobStatus.FAILED, error=error)
    assert await _host_status(db) is HostStatus.UNREACHABLE
    again = (await factories.request(db, queue, vault)).job
    running = (await _claim(db, again)).job
    await services.ending.settle(db, running, status=JobStatus.SUCCEEDED)
    assert await _host_status(db) is HostStatus.READY


async def test_a_job_nobody_claimed_is_pushed_again_until_it_is(db, queue, job):
    assert await services.recovery.dispatch(db, queue, policy=AT_ONCE) == 1
    await _claim(db, job)
    assert await services.recovery.dispatch(db, queue, policy=AT_ONCE) == 0


async def test_the_key_a_host_shows_waits_for_confirmation(db, queue, vault):
    await factories.add_host(db, host_key=None)
    view = await factories.request(
        db, queue, vault, kind=JobKind.ENROLL, instance=None, host="alpha"
    )
    running = (await _claim(db, view.job)).job
    await services.execution.keep_host_key(db, running, host_key="ssh-x A", fingerprint="SHA256:y")
    async with db.transaction() as session:
        host = await store.hosts.get(session, "alpha")
    assert (host.host_key, host.pending_fingerprint) == (None, "SHA256:y")


async def _host_status(db):
    async with db.transaction() as session:
        return (await store.hosts.get(session, "alpha")).status
