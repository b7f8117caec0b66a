"""What jobs are told: to stop, to be done again, what became of a step."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import Answer, Ending, EndingWhy, JobKind, JobStatus, Outcome
from app.errors import Conflict, NotFound, TooEarly
from app.models.base import new_id
from tests.support import deployments, factories
from tests.support.worked import begin, claim, hand_over, suspend

ACTOR = {"actor": "ann"}


@pytest.fixture
async def waiting(db, queue, vault):
    """A provision that no worker has looked at."""
    await factories.add_site(db)
    return (await factories.request(db, queue, vault)).job


async def cancel(db, queue, job, **values):
    return (await services.commands.cancel(db, queue, job.id, **ACTOR, **values)).job


async def told(db, job):
    """The job's last event."""
    last = (await factories.events(db, job.id))[-1]
    return last.type, last.data


async def backdate(db, job, **ago):
    """As if the order to stop had been given earlier."""
    async with db.transaction() as session:
        row = await store.jobs.lock(session, job.id)
        at = datetime.fromisoformat(row.ending["at"]) - timedelta(**ago)
        row.ending = {**row.ending, "at": at.isoformat()}
        session.add(row)


async def test_a_job_that_has_not_begun_is_canceled_at_once(db, queue, waiting):
    job = await cancel(db, queue, waiting, reason="the wrong one")
    assert (job.status, job.outcome) == (JobStatus.CANCELED, Outcome.UNCHANGED)
    assert job.finished_at is not None
    server = (await services.jobs.get(db, job.id)).app_server
    assert server.status is AppServerStatus.ERROR
    assert await told(db, job) == (
        EventType.JOB_CANCELED,
        {"by": "ann", "reason": "the wrong one"},
    )


async def test_a_job_in_the_middle_is_told_to_stop_and_stays_until_it_has(db, queue, waiting):
    await begin(db, str(waiting.id))
    job = await cancel(db, queue, waiting, reason="the wrong one")
    assert job.status is JobStatus.CANCELING
    assert job.lease_until is not None
    assert (job.ending["why"], job.ending["by"]) == ("canceled", "ann")
    data = {"by": "ann", "reason": "the wrong one", "force": False}
    assert await told(db, job) == (EventType.JOB_CANCELING, data)


async def test_the_worker_that_has_the_job_hears_of_it_with_its_next_breath(db, queue, waiting):
    await begin(db, str(waiting.id))
    job = await cancel(db, queue, waiting)
    assert (await services.claiming.renew(db, job)).why is EndingWhy.CANCELED


async def test_a_job_between_two_workers_is_woken_to_undo_what_it_did(db, queue, waiting):
    await begin(db, str(waiting.id))
    await hand_over(db, waiting.id)
    job = await cancel(db, queue, waiting)
    assert (job.status, job.lease_until) == (JobStatus.CANCELING, None)
    assert await queue._redis.zcard(queue._redis.default_queue_name) == 2


async def test_a_suspended_job_waits_no_longer(db, queue, waiting):
    await suspend(db, waiting.id)
    job = await cancel(db, queue, waiting)
    assert (job.status, job.suspended, job.not_before) == (JobStatus.CANCELING, None, None)


async def test_canceling_again_changes_nothing(db, queue, waiting):
    await begin(db, str(waiting.id))
    first = await cancel(db, queue, waiting)
    second = await cancel(db, queue, waiting, reason="really")
    assert second.model_dump() == first.model_dump()


async def test_a_canceled_job_may_be_canceled_again(db, queue, waiting):
    first = await cancel(db, queue, waiting)
    second = await cancel(db, queue, waiting, force=True)
    assert second.model_dump() == first.model_dump()


async def test_a_job_that_has_ended_cannot_be_canceled(db, queue, waiting):
    held = await claim(db, str(waiting.id))
    await services.ending.settle(db, held, status=JobStatus.SUCCEEDED)
    with pytest.raises(Conflict, match="has succeeded") as refused:
        await cancel(db, queue, waiting)
    assert refused.value.code == "job-ended"


async def test_force_needs_a_first_request_and_the_time_for_it(db, queue, waiting):
    await begin(db, str(waiting.id))
    with pytest.raises(TooEarly, match="not told to stop yet") as refused:
        await cancel(db, queue, waiting, force=True)
    assert refused.value.retry_after == 30
    await cancel(db, queue, waiting)
    await backdate(db, waiting, seconds=20)
    with pytest.raises(TooEarly) as refused:
        await cancel(db, queue, waiting, force=True)
    assert refused.value.retry_after in {9, 10}


async def test_force_after_that_time_is_told_to_the_worker(db, queue, waiting):
    await begin(db, str(waiting.id))
    first = await cancel(db, queue, waiting, reason="stuck")
    await backdate(db, waiting, seconds=31)
    job = await cancel(db, queue, waiting, force=True)
    assert job.ending["force"] is True
    assert job.ending["reason"] == first.ending["reason"]
    data = {"by": "ann", "reason": "stuck", "force": True}
    assert await told(db, job) == (EventType.JOB_CANCELING, data)
    assert (await services.claiming.renew(db, job)).force


async def test_what_stops_for_another_reason_is_not_called_canceled(db, queue, waiting):
    await begin(db, str(waiting.id))
    async with db.transaction() as session:
        row = await store.jobs.lock(session, waiting.id)
        order = Ending(EndingWhy.DEADLINE, at=datetime.now(UTC).isoformat())
        await store.jobs.order_end(session, row, order)
    job = await cancel(db, queue, waiting)
    assert (job.status, job.ending["why"]) == (JobStatus.RUNNING, "deadline-exceeded")


async def test_a_claim_and_a_cancel_at_once_never_both_win(db, queue, vault):
    await factories.add_site(db, port_first=4000, port_last=4999, next_port=4000)

    async def race():
        job = (await factories.request(db, queue, vault)).job
        await asyncio.gather(claim(db, str(job.id)), cancel(db, queue, job), return_exceptions=True)
        return (await services.jobs.get(db, job.id)).job

    for _ in range(20):
        job = await race()
        if job.attempt:
            assert (job.status, job.lease_until is None) == (JobStatus.CANCELING, False)
        else:
            assert (job.status, job.lease_until) == (JobStatus.CANCELED, None)


async def test_who_waited_for_a_canceled_job_is_woken(db, queue, vault, waiting):
    await factories.request(db, queue, vault)
    before = await queue._redis.zcard(queue._redis.default_queue_name)
    await cancel(db, queue, waiting)
    assert await queue._redis.zcard(queue._redis.default_queue_name) == before + 1


async def test_a_job_that_is_not_there_cannot_be_told_anything(db, queue, vault):
    with pytest.raises(NotFound):
        await services.commands.cancel(db, queue, new_id(), **ACTOR)
    with pytest.raises(NotFound):
        await services.commands.answer(db, queue, new_id(), answer=Answer.DONE, **ACTOR)
    with pytest.raises(NotFound):
        await services.commands.retry(db, queue, vault, new_id(), request_id="r", **ACTOR)


async def test_a_repeated_job_is_a_new_one_with_the_same_order(db, queue, vault):
    await factories.add_site(db)
    values = {"revision": "v2", "priority": 7}
    first = await factories.request(db, queue, vault, **values)
    await cancel(db, queue, first.job)
    again = await services.commands.retry(db, queue, vault, first.job.id, request_id="r", **ACTOR)
    assert again.job.retry_of == first.job.id
    asked = {name: again.job.params[name] for name in ("instance", "host", "revision")}
    assert asked == {"instance": "shop", "host": "alpha", "revision": "v2"}
    assert (again.job.priority, again.job.actor) == (7, "ann")
    assert again.app_server.number == first.app_server.number + 1


async def test_a_repeated_job_has_another_machine_made(db, queue, vault):
    await factories.add_instance(db, provider="cloud")
    first = await factories.request(db, queue, vault)
    await cancel(db, queue, first.job)
    again = await services.commands.retry(db, queue, vault, first.job.id, request_id="r", **ACTOR)
    assert (first.host_name, again.host_name) == ("shop-1", "shop-2")
    assert (again.job.retry_of, again.job.params["provider"]) == (first.job.id, "cloud")


async def test_a_job_whose_machine_is_forgotten_can_be_repeated(db, queue, vault):
    await factories.add_instance(db, provider="cloud")
    first = await factories.request(db, queue, vault)
    await cancel(db, queue, first.job)
    await deployments.execute(db, "UPDATE jobs SET host_id = NULL")
    again = await services.commands.retry(db, queue, vault, first.job.id, request_id="r", **ACTOR)
    assert again.host_name == "shop-2"


async def test_only_what_failed_can_be_repeated(db, queue, vault, waiting):
    with pytest.raises(Conflict, match="has not ended"):
        await services.commands.retry(db, queue, vault, waiting.id, request_id="r", **ACTOR)
    held = await claim(db, str(waiting.id))
    await services.ending.settle(db, held, status=JobStatus.SUCCEEDED)
    with pytest.raises(Conflict, match="has succeeded"):
        await services.commands.retry(db, queue, vault, waiting.id, request_id="r", **ACTOR)


async def test_what_is_gone_cannot_be_repeated(db, queue, vault, waiting):
    await cancel(db, queue, waiting)
    await services.instances.delete(db, "shop", expected=None)
    with pytest.raises(Conflict, match="is gone"):
        await services.commands.retry(db, queue, vault, waiting.id, request_id="r", **ACTOR)


async def test_a_question_is_answered_and_the_job_woken(db, queue, waiting):
    await suspend(db, waiting.id, kind="question", step="build")
    job = (await services.commands.answer(db, queue, waiting.id, answer=Answer.REPEAT, **ACTOR)).job
    assert job.suspended["answer"] == "repeat"
    assert job.not_before <= datetime.now(UTC)
    data = {"by": "ann", "answer": "repeat", "step": "build"}
    assert await told(db, job) == (EventType.JOB_ANSWERED, data)
    async with db.transaction() as session:
        due = await store.outbox.take_unclaimed(session, age=timedelta(0), limit=10)
    assert due == [(job.id, job.attempt + 1)]


async def test_an_answer_is_given_once(db, queue, waiting):
    await suspend(db, waiting.id, kind="question", step="build")
    first, second = [
        (await services.commands.answer(db, queue, waiting.id, answer=Answer.DONE, **ACTOR)).job
        for _ in range(2)
    ]
    assert first.last_seq == second.last_seq
    with pytest.raises(Conflict, match="answered already: done") as refused:
        await services.commands.answer(db, queue, waiting.id, answer=Answer.FAILED, **ACTOR)
    assert refused.value.code == "not-waiting"


async def test_what_asks_nothing_takes_no_answer(db, queue, waiting):
    with pytest.raises(Conflict, match="asks nothing") as refused:
        await services.commands.answer(db, queue, waiting.id, answer=Answer.DONE, **ACTOR)
    assert refused.value.code == "not-waiting"
    await suspend(db, waiting.id, kind="time")
    with pytest.raises(Conflict, match="asks nothing"):
        await services.commands.answer(db, queue, waiting.id, answer=Answer.DONE, **ACTOR)


async def test_a_job_that_reads_a_host_key_is_canceled_like_any_other(db, queue, vault):
    await factories.add_host(db)
    view = await factories.request(
        db, queue, vault, kind=JobKind.ENROLL, instance=None, host="alpha"
    )
    assert (await cancel(db, queue, view.job)).status is JobStatus.CANCELED
