"""Breaking the lock of a job: its worker is refused, it ends, and whoever waited goes on."""

import asyncio
import contextlib

import pytest

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus, Outcome, ServiceState, StepStatus, WaitPolicy
from app.errors import HolderAlive, LostOwnership, NotFound, Stale
from app.services.claiming import Blocked
from app.store.database import Database
from tests.support import factories, holding


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
async def job(db, queue, vault, site):
    return (await factories.request(db, queue, vault)).job


@pytest.fixture
async def told(database_url):
    """A database for one more process, and the topics that it announced."""
    topics = []
    database = Database(database_url, pool_size=2, announce=topics.extend)
    yield database, topics
    await database.close()


async def _break(db, queue, *, name="instance:shop", token=1, **options):
    return await services.locks.break_lock(
        db, queue, name, token=token, reason="the machine is gone", actor="ann", **options
    )


async def _silent(db, job):
    claim = await holding.claim(db, job)
    await holding.expire_leases(db)
    return claim


async def _between(db, job):
    claim = await holding.claim(db, job)
    await services.claiming.hand_over(db, claim.job)
    return claim


async def _suspended(db, job):
    claim = await holding.claim(db, job)
    await holding.suspend(db, claim)
    return claim


async def test_the_lock_of_a_living_holder_is_not_broken_and_it_is_said_how_it_lives(
    db, queue, job
):
    await holding.begin_step(db, await holding.claim(db, job), "Collecting django\n")
    with pytest.raises(HolderAlive) as refused:
        await _break(db, queue)
    error = refused.value
    assert (error.status, error.code, error.job) == (409, "holder-alive", job.id)
    assert "Worker web-3:7 is busy with" in error.detail
    assert "was heard 0 s ago" in error.detail
    assert "“Look”" in error.detail
    assert error.detail.endswith("Collecting django")
    assert "--force" in error.hint
    known = (error.holder["worker"], error.holder["step"], error.holder["last_line"])
    assert known == ("web-3:7", "Look", "Collecting django")
    assert (await services.jobs.get(db, job.id)).job.status is JobStatus.RUNNING


async def test_a_living_holder_that_was_told_to_stop_is_not_said_to_need_a_cancel(db, queue, job):
    await holding.claim(db, job)
    await services.commands.cancel(db, queue, job.id, actor="bob")
    with pytest.raises(HolderAlive) as refused:
        await _break(db, queue)
    assert "A cancel was asked for by bob" in refused.value.hint
    assert refused.value.hint.count(f"liftlock jobs cancel {job.id}") == 1


@pytest.mark.parametrize("leave", [_silent, _between, _suspended])
async def test_the_lock_of_a_job_without_a_living_worker_is_broken(db, queue, job, leave):
    await leave(db, job)
    broken = await _break(db, queue)
    assert (broken.name, broken.token, broken.job) == ("instance:shop", 1, job.id)
    assert not broken.was_alive
    assert "on host alpha" in broken.advice
    assert await services.locks.list_page(db, after=None, limit=9) == []


async def test_the_job_ends_as_nobody_knows_how_with_its_app_server_and_events(db, queue, job):
    claim = await holding.claim(db, job)
    await services.execution.move_app_server(db, claim.job, AppServerStatus.WAITING)
    await services.execution.move_app_server(db, claim.job, AppServerStatus.CONFIGURING)
    await _break(db, queue, force=True)
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.outcome, view.job.service_state) == (
        JobStatus.FAILED,
        Outcome.ROLLBACK_FAILED,
        ServiceState.UNKNOWN,
    )
    assert view.job.error["code"] == "lock-broken"
    assert "the machine is gone" in view.job.error["detail"]
    assert view.app_server.status is AppServerStatus.FAILED
    *_, broken, app_server, last = await factories.events(db, job.id)
    assert broken.data == {
        "name": "instance:shop",
        "token": 1,
        "by": "ann",
        "reason": "the machine is gone",
        "forced": True,
        "was_alive": True,
    }
    assert [broken.type, app_server.type, last.type] == [
        EventType.LOCK_BROKEN,
        EventType.APP_SERVER_FAILED,
        EventType.JOB_FAILED,
    ]


async def test_an_enrolment_ends_without_a_word_on_any_site(db, queue, vault, site):
    ask = {"kind": JobKind.ENROLL, "instance": None, "host": "alpha"}
    await _silent(db, (await factories.request(db, queue, vault, **ask)).job)
    broken = await _break(db, queue, name="host:alpha")
    assert (await services.jobs.get(db, broken.job)).job.service_state is None


async def test_its_worker_is_told_at_once(queue, job, db, told):
    elsewhere, topics = told
    await holding.claim(db, job)
    await _break(elsewhere, queue, force=True)
    assert f"ending:{job.id}" in topics


async def test_its_worker_writes_nothing_any_more(db, queue, job):
    claim = await holding.claim(db, job)
    await holding.begin_step(db, claim)
    await _break(db, queue, force=True)
    await _refused_everything(db, claim.job)
    assert (await services.jobs.get(db, job.id)).job.error["code"] == "lock-broken"


async def test_a_worker_that_was_silent_too_long_writes_nothing_once_its_job_is_taken_back(
    db, queue, job
):
    claim = await holding.claim(db, job)
    await holding.begin_step(db, claim)
    await holding.expire_leases(db)
    assert await services.recovery.recover(db, policy=WaitPolicy()) == [job.id]
    await _refused_everything(db, claim.job)
    successor = await holding.claim(db, job, worker="web-4:1")
    await _refused_everything(db, claim.job)
    await services.ending.settle(db, successor.job, status=JobStatus.SUCCEEDED)


async def _refused_everything(db, old):
    """No write of that attempt is accepted, and none leaves a trace."""
    before = await factories.event_types(db, old.id)
    event, done = (EventType.STEP_OUTPUT, {}), {"exit_code": 0, "duration_ms": 1, "facts": {}}
    writes = [
        services.claiming.renew(db, old),
        services.claiming.hand_over(db, old),
        services.execution.record(db, old, event),
        services.execution.start_step(db, old, number=2, name="b", title="B"),
        services.execution.retry_step(db, old, number=1, tries=2, event=event),
        services.execution.finish_step(
            db, old, number=1, status=StepStatus.SUCCEEDED, event=event, **done
        ),
        services.execution.set_commit(db, old, "abc"),
        services.execution.mark_prepared(db, old),
        services.ending.settle(db, old, status=JobStatus.SUCCEEDED),
        services.ending.settle(db, old, status=JobStatus.FAILED),
    ]
    for write in writes:
        with pytest.raises(LostOwnership):
            await write
    assert await factories.event_types(db, old.id) == before


async def test_those_that_waited_are_woken_and_begin(db, queue, vault, job):
    await _silent(db, job)
    behind = (await factories.request(db, queue, vault)).job
    with pytest.raises(Blocked):
        await holding.claim(db, behind)
    pushed = []
    queue.push = lambda job_id, attempt, **_: _note(pushed, (job_id, attempt))
    await _break(db, queue)
    assert pushed == [(behind.id, 1)]
    claim = await holding.claim(db, behind)
    assert claim.tokens == {f"instance:{job.instance_id}": 2}


async def _note(pushed, what):
    pushed.append(what)


async def test_another_token_breaks_nothing_and_the_present_one_is_named(db, queue, job):
    await _between(db, job)
    await holding.claim(db, job)
    for token in (1, 3):
        with pytest.raises(Stale, match="token 2 now"):
            await _break(db, queue, token=token, force=True)
    assert (await services.jobs.get(db, job.id)).job.status is JobStatus.RUNNING


async def test_the_lock_of_a_job_that_has_ended_is_not_there_to_break(db, queue, job):
    claim = await holding.claim(db, job)
    await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)
    with pytest.raises(NotFound, match="Nobody holds instance:shop"):
        await _break(db, queue, force=True)


async def test_the_lock_of_a_job_whose_instance_is_gone_can_be_broken(db, queue, job):
    await _silent(db, job)
    await holding.execute(db, "UPDATE jobs SET instance_id = NULL")
    await holding.execute(db, "DELETE FROM app_servers; DELETE FROM instances")
    assert (await _break(db, queue, name=f"instance:{job.instance_id}")).job == job.id


async def test_of_fifty_that_break_it_at_once_one_does(db, queue, job):
    await holding.claim(db, job)
    breaks = (_break(db, queue, force=True) for _ in range(50))
    found = await asyncio.gather(*breaks, return_exceptions=True)
    assert len([one for one in found if not isinstance(one, Exception)]) == 1
    assert {type(one) for one in found if isinstance(one, Exception)} == {NotFound}
    types = await factories.event_types(db, job.id)
    assert types.count(EventType.LOCK_BROKEN) == types.count(EventType.JOB_FAILED) == 1


async def _settle(db, claim):
    return await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)


async def _renew(db, claim):
    return await services.claiming.renew(db, claim.job)


async def _record(db, claim):
    return await holding.say(db, claim, "a line\n")


async def _hand_over(db, claim):
    return await services.claiming.hand_over(db, claim.job)


async def _recover(db, _claim):
    await holding.expire_leases(db)
    return await services.recovery.recover(db, policy=WaitPolicy())


@pytest.mark.parametrize("write", [_settle, _renew, _record, _hand_over, _recover, holding.suspend])
async def test_breaking_and_a_write_of_the_worker_cross_in_one_order_or_the_other(
    db, queue, vault, site, write
):
    for token in range(1, 9):
        claim = await holding.claim(db, (await factories.request(db, queue, vault)).job)
        strike, written = _break(db, queue, token=token, force=True), write(db, claim)
        if token % 2:
            broken, wrote = await asyncio.gather(strike, written, return_exceptions=True)
        else:
            wrote, broken = await asyncio.gather(written, strike, return_exceptions=True)
        *before, last = await factories.event_types(db, claim.job.id)
        assert not {"job.failed", "job.succeeded"} & set(before)
        if last == "job.failed":
            assert broken.job == claim.job.id
            assert isinstance(wrote, LostOwnership) or not isinstance(wrote, Exception)
        else:
            assert (last, type(broken)) == ("job.succeeded", NotFound)


async def test_an_order_to_break_never_hits_the_next_holder(db, queue, vault, site):
    jobs = [(await factories.request(db, queue, vault)).job for _ in range(5)]
    over = asyncio.Event()

    async def work():
        for job in jobs:
            # The first one may be hit.
            with contextlib.suppress(LostOwnership):
                taken = await holding.claim(db, job)
                await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
        over.set()

    async def strike():
        while not over.is_set():
            with contextlib.suppress(NotFound, Stale):
                await _break(db, queue, token=1, force=True)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(work())
        group.create_task(strike())
    for job in jobs[1:]:
        assert (await services.jobs.get(db, job.id)).job.status is JobStatus.SUCCEEDED
