"""Jobs that are told to stop, come too late or wait: who may have them, and what they may write."""

from datetime import UTC, datetime, timedelta

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import Ending, EndingWhy, JobStatus, StepStatus, WaitPolicy
from app.errors import LostOwnership
from app.services.claiming import Blocked
from app.store.database import driver
from tests.support import factories

AT_ONCE = WaitPolicy(push_again_after=timedelta(0))
WAITS = {"kind": "time", "step": "wait", "since": "now", "until": "later", "reason": "it is told"}


@pytest.fixture
async def site(db):
    return await factories.add_site(db, capacity=2)


@pytest.fixture
async def job(db, queue, vault, site):
    return (await factories.request(db, queue, vault)).job


async def _claim(db, job, *, attempt=1):
    work = await services.work.look(db, job.id)
    return await services.claiming.claim(
        db, work, attempt=attempt, worker="w", lock_names=[f"instance:{job.instance_id}"]
    )


async def _execute(db, statement):
    async with db.statement() as session:
        await driver(session).execute(statement)


async def _order_end(db, job):
    async with db.transaction() as session:
        row = await store.jobs.lock(session, job.id)
        await store.jobs.order_end(session, row, Ending(EndingWhy.CANCELED, at="now"))


async def _suspend(db, job, *, hours=1):
    until = datetime.now(UTC) + timedelta(hours=hours)
    return await services.claiming.suspend(db, job, until=until, suspended=WAITS)


async def _wake_suspended(db):
    await _execute(db, "UPDATE jobs SET not_before = now() WHERE suspended IS NOT NULL")


async def _recover(db):
    return await services.recovery.recover(db, policy=AT_ONCE)


async def _job(db, job):
    return (await services.jobs.get(db, job.id)).job


async def test_a_late_job_that_never_began_fails_at_its_deadline(db, job):
    await _execute(db, "UPDATE jobs SET deadline = now() - interval '1 s'")
    assert await _recover(db) == [job.id]
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.error["code"]) == (JobStatus.FAILED, "deadline-exceeded")
    assert view.app_server.status is AppServerStatus.ERROR


async def test_a_late_job_that_runs_is_told_to_stop_once(db, job):
    running = (await _claim(db, job)).job
    await _execute(db, "UPDATE jobs SET deadline = now() - interval '1 s'")
    await _recover(db)
    ending = await services.claiming.renew(db, running)
    assert ending.why is EndingWhy.DEADLINE
    assert await _recover(db) == []


async def test_a_late_job_that_waits_half_done_gets_a_worker_to_undo_it(db, job):
    await _suspend(db, (await _claim(db, job)).job)
    await _execute(db, "UPDATE jobs SET deadline = now() - interval '1 s'")
    await _recover(db)
    claim = await _claim(db, job, attempt=2)
    assert (claim.ending.why, claim.resumed) == (EndingWhy.DEADLINE, None)


async def test_the_end_of_a_waiting_job_is_written_once(db, job):
    for refused in (False, True):
        async with db.transaction() as session:
            row = await store.jobs.lock(session, job.id)
            ends = services.ending.end_waiting(session, row, JobStatus.CANCELED, told={"by": "me"})
            if refused:
                with pytest.raises(LostOwnership):
                    await ends
            else:
                await ends
    types = await factories.event_types(db, job.id)
    assert types[-2:] == [EventType.APP_SERVER_ERROR, EventType.JOB_CANCELED]


async def test_a_running_job_cannot_be_ended_as_a_waiting_one(db, job):
    await _claim(db, job)
    async with db.transaction() as session:
        row = await store.jobs.lock(session, job.id)
        with pytest.raises(LostOwnership):
            await services.ending.end_waiting(session, row, JobStatus.CANCELED)
    assert (await _job(db, job)).status is JobStatus.RUNNING


async def test_a_suspended_job_keeps_its_instance_whatever_the_rivals_priority(
    db, queue, vault, job
):
    await _suspend(db, (await _claim(db, job)).job)
    urgent = (await factories.request(db, queue, vault, priority=-5)).job
    with pytest.raises(Blocked) as refused:
        await _claim(db, urgent)
    assert refused.value.blocked_by == [{"kind": "order", "job": str(job.id)}]
    await _wake_suspended(db)
    claim = await _claim(db, job, attempt=2)
    assert claim.resumed == WAITS
    assert (await factories.event_types(db, job.id))[-1] == EventType.JOB_RESUMED


async def test_a_suspended_job_keeps_no_unit_of_its_hosts_capacity(db, queue, vault, site, job):
    host, _ = site
    await _execute(db, "UPDATE hosts SET capacity = 1")
    await _suspend(db, (await _claim(db, job)).job)
    await factories.add_instance(db, recipe=await factories.add_recipe(db), host=host, name="blog")
    other = (await factories.request(db, queue, vault, instance="blog")).job
    assert (await _claim(db, other)).job.status is JobStatus.RUNNING


async def test_a_suspended_job_is_not_pushed_before_its_time(db, queue, job):
    await _suspend(db, (await _claim(db, job)).job)
    assert await services.recovery.dispatch(db, queue, policy=AT_ONCE) == 0
    await _wake_suspended(db)
    assert await services.recovery.dispatch(db, queue, policy=AT_ONCE) == 1


async def test_a_job_that_was_told_to_stop_does_not_suspend(db, job):
    running = (await _claim(db, job)).job
    await _order_end(db, job)
    assert (await _suspend(db, running)).why is EndingWhy.CANCELED
    assert (await _job(db, job)).status is JobStatus.CANCELING


async def test_a_canceling_job_is_claimed_as_one_and_needs_no_turn(db, queue, vault, site, job):
    await services.claiming.hand_over(db, (await _claim(db, job)).job)
    await _order_end(db, job)
    await _execute(db, "UPDATE hosts SET capacity = 0")
    claim = await _claim(db, job, attempt=2)
    assert (claim.job.status, claim.ending.why) == (JobStatus.CANCELING, EndingWhy.CANCELED)


async def test_a_canceling_job_that_goes_back_to_the_queue_is_still_canceling(db, job):
    await _claim(db, job)
    await _order_end(db, job)
    await _execute(db, "UPDATE jobs SET lease_until = now() - interval '1 s'")
    await _recover(db)
    row = await _job(db, job)
    assert (row.status, row.lease_until) == (JobStatus.CANCELING, None)


async def test_an_old_attempt_writes_nothing_of_a_canceling_job_that_went_back(db, job):
    old = (await _claim(db, job)).job
    await services.execution.start_step(db, old, number=1, name="a", title="A")
    await _order_end(db, job)
    await _execute(db, "UPDATE jobs SET lease_until = now() - interval '1 s'")
    await _recover(db)
    before = await factories.event_types(db, job.id)
    event, finished = (EventType.STEP_OUTPUT, {}), {"exit_code": 0, "duration_ms": 1, "facts": {}}
    writes = [
        services.claiming.renew(db, old),
        services.claiming.hand_over(db, old),
        _suspend(db, old),
        services.execution.record(db, old, event),
        services.execution.start_step(db, old, number=2, name="b", title="B"),
        services.execution.retry_step(db, old, number=1, tries=2, event=event),
        services.execution.finish_step(
            db, old, number=1, status=StepStatus.SUCCEEDED, event=event, **finished
        ),
        services.execution.move_app_server(db, old, AppServerStatus.WAITING),
        services.execution.set_commit(db, old, "abc"),
        services.execution.mark_prepared(db, old),
        services.execution.mark_prepared(db, old, participant="database"),
        services.ending.settle(db, old, status=JobStatus.SUCCEEDED),
        services.ending.settle(db, old, status=JobStatus.CANCELED),
    ]
    for write in writes:
        with pytest.raises(LostOwnership):
            await write
    assert await factories.event_types(db, job.id) == before
    assert (await _claim(db, job, attempt=2)).ending.why is EndingWhy.CANCELED
