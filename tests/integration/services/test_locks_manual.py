"""Locks that people place: who is refused, what goes on, and what ends."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus, Outcome
from app.errors import Invalid, LostOwnership, ManualLock, NotFound, Stale
from app.services.claiming import Blocked, Ended
from tests.support import factories, holding

EVERYWHERE = ["all", "host:alpha", "instance:shop"]
ENROLL = {"kind": JobKind.ENROLL, "instance": None, "host": "alpha"}


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
async def job(db, queue, vault, site):
    return (await factories.request(db, queue, vault)).job


async def _place(db, on="all"):
    return await services.locks.place(db, on=on, message="no deploys today", actor="ann")


async def _lift(db, queue, view):
    return await services.locks.break_lock(
        db, queue, view.name, token=view.token, reason="it is over", actor="bob"
    )


async def _job(db, job):
    return (await services.jobs.get(db, job.id)).job


@pytest.mark.parametrize("on", EVERYWHERE)
async def test_a_lock_is_shown_with_its_message_and_the_command_that_lifts_it(db, site, on):
    view = await _place(db, on)
    assert (view.name, view.token, view.message) == (f"manual:{on}", 1, "no deploys today")
    assert (view.actor, view.holder, view.waiting, view.safe_to_break) == ("ann", None, [], True)
    assert f"locks break manual:{on}" in view.advice
    assert await services.locks.get(db, view.name) == view


@pytest.mark.parametrize("on", EVERYWHERE)
async def test_a_request_that_meets_one_is_refused_with_the_message(db, queue, vault, site, on):
    view = await _place(db, on)
    with pytest.raises(ManualLock, match="no deploys today") as refused:
        await factories.request(db, queue, vault)
    error = refused.value
    assert (error.status, error.code, error.lock) == (409, "manual-lock", view.name)
    assert (error.message, error.actor, error.since) == ("no deploys today", "ann", view.since)
    assert "ann" in error.hint


async def test_a_dry_run_is_not_refused_and_may_run(db, queue, vault, site):
    await _place(db)
    job = (await factories.request(db, queue, vault, dry_run=True)).job
    assert (await holding.claim(db, job)).job.status is JobStatus.RUNNING


async def test_another_instance_is_not_refused(db, queue, vault, site):
    host, _ = site
    await _place(db, "instance:shop")
    await factories.add_instance(db, recipe=await factories.add_recipe(db), host=host, name="blog")
    assert (await factories.request(db, queue, vault, instance="blog")).job.status


@pytest.mark.parametrize(("on", "refused"), [("all", False), ("host:alpha", True)])
async def test_a_hosts_key_is_read_unless_the_host_itself_is_locked(
    db, queue, vault, site, on, refused
):
    job = (await factories.request(db, queue, vault, **ENROLL)).job
    await _place(db, on)
    if refused:
        with pytest.raises(ManualLock):
            await factories.request(db, queue, vault, **ENROLL)
        with pytest.raises(Ended):
            await holding.claim(db, job)
    else:
        assert (await factories.request(db, queue, vault, **ENROLL)).job.status
        assert (await holding.claim(db, job)).job.status is JobStatus.RUNNING


async def test_asking_again_for_a_job_is_refused_as_well(db, queue, vault, job):
    await services.commands.cancel(db, queue, job.id, actor="tests")
    await _place(db)
    with pytest.raises(ManualLock):
        await services.commands.retry(db, queue, vault, job.id, actor="tests", request_id="r")


@pytest.mark.parametrize("on", EVERYWHERE)
async def test_a_job_that_has_not_begun_ends_when_a_worker_takes_it(db, job, on):
    await _place(db, on)
    with pytest.raises(Ended) as ended:
        await holding.claim(db, job)
    assert ended.value.rivals == []
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.outcome) == (JobStatus.FAILED, Outcome.UNCHANGED)
    assert view.job.error["code"] == "manual-lock"
    assert "no deploys today" in view.job.error["detail"]
    assert f"liftlock jobs retry {job.id}" in view.job.error["hint"]
    assert view.app_server.status is AppServerStatus.ERROR
    types = await factories.event_types(db, job.id)
    assert types[-2:] == [EventType.APP_SERVER_ERROR, EventType.JOB_FAILED]


async def test_those_behind_it_are_woken_and_end_as_well(db, queue, vault, job):
    behind = (await factories.request(db, queue, vault)).job
    await _place(db)
    with pytest.raises(Ended) as ended:
        await holding.claim(db, job)
    assert ended.value.rivals == [(behind.id, 1)]
    with pytest.raises(Ended):
        await holding.claim(db, behind)


async def test_it_ends_at_once_although_another_job_is_in_its_way(db, queue, vault, job):
    await holding.claim(db, job)
    behind = (await factories.request(db, queue, vault)).job
    with pytest.raises(Blocked):
        await holding.claim(db, behind)
    await _place(db)
    with pytest.raises(Ended):
        await holding.claim(db, behind)
    assert (await _job(db, job)).status is JobStatus.RUNNING


async def test_a_job_for_later_that_finds_one_at_its_time_ends(db, queue, vault, site):
    later = datetime.now(UTC) + timedelta(hours=1)
    job = (await factories.request(db, queue, vault, not_before=later)).job
    await _place(db)
    await holding.execute(db, "UPDATE jobs SET not_before = now()")
    with pytest.raises(Ended):
        await holding.claim(db, job)


async def test_a_job_that_has_begun_goes_on_after_every_interruption(db, job):
    await holding.suspend(db, await holding.claim(db, job))
    await _place(db)
    claim = await holding.claim(db, job)
    await services.claiming.hand_over(db, claim.job)
    assert (await holding.claim(db, job)).job.attempt == 3


async def test_a_late_wake_up_of_a_job_that_has_ended_ends_it_no_second_time(db, queue, job):
    work = await services.work.look(db, job.id)
    await services.commands.cancel(db, queue, job.id, actor="tests")
    await _place(db)
    with pytest.raises(LostOwnership) as refused:
        await services.claiming.claim(db, work, attempt=1, worker="w", lock_names=["instance:a"])
    assert not isinstance(refused.value, Ended)
    assert (await _job(db, job)).status is JobStatus.CANCELED


async def test_once_lifted_requests_are_taken_again(db, queue, vault, site):
    broken = await _lift(db, queue, await _place(db))
    assert (broken.name, broken.job, broken.was_alive) == ("manual:all", None, False)
    assert (await factories.request(db, queue, vault)).job.status is JobStatus.QUEUED
    assert await services.locks.list_page(db, after=None, limit=9) == []


async def test_each_placing_has_the_next_token_and_an_old_one_lifts_nothing(db, queue, site):
    first = await _place(db)
    await _lift(db, queue, first)
    second = await _place(db)
    assert (first.token, second.token) == (1, 2)
    with pytest.raises(Stale, match="token 2"):
        await _lift(db, queue, first)
    assert (await services.locks.get(db, "manual:all")).token == 2


async def test_a_second_one_in_the_same_place_is_refused_with_the_first(db, site):
    first = await _place(db)
    with pytest.raises(ManualLock, match="no deploys today") as refused:
        await services.locks.place(db, on="all", message="me too", actor="bob")
    assert f"{first.token}" in refused.value.hint
    assert (await services.locks.get(db, "manual:all")).actor == "ann"


@pytest.mark.parametrize("on", ["", "shop", "host:none", "instance:none", "manual:all"])
async def test_what_cannot_be_locked_is_said_with_a_pointer(db, site, on):
    with pytest.raises(Invalid) as refused:
        await _place(db, on)
    assert [error.pointer for error in refused.value.errors] == ["/on"]


async def test_a_lock_without_a_reason_is_not_placed(db, site):
    with pytest.raises(Invalid) as refused:
        await services.locks.place(db, on="all", message="  ", actor="ann")
    assert [error.pointer for error in refused.value.errors] == ["/message"]


async def test_it_can_be_placed_and_lifted_by_id_and_outlives_its_instance(db, queue, site):
    _, instance = site
    view = await _place(db, f"instance:{instance.id}")
    assert view.name == "manual:instance:shop"
    await holding.execute(db, "DELETE FROM instances")
    [left] = await services.locks.list_page(db, after=None, limit=9)
    assert left.name == f"manual:instance:{instance.id}"
    await _lift(db, queue, left)
    with pytest.raises(NotFound):
        await services.locks.get(db, left.name)


async def test_of_many_that_place_one_at_once_one_succeeds(db, site):
    found = await asyncio.gather(*(_place(db) for _ in range(50)), return_exceptions=True)
    placed = [one for one in found if not isinstance(one, Exception)]
    assert [view.token for view in placed] == [1]
    assert {type(one) for one in found if isinstance(one, Exception)} == {ManualLock}


@pytest.mark.parametrize("on", EVERYWHERE)
async def test_no_job_begins_behind_a_lock_however_they_cross(db, queue, vault, site, on):
    """Whatever is asked for and claimed while a lock is placed: what begins after it ends."""
    for turn in range(10):
        asks = (factories.request(db, queue, vault) for _ in range(3))
        placing = asyncio.create_task(_place(db, on))
        found = await asyncio.gather(*asks, return_exceptions=True)
        view = await placing
        jobs = [one.job for one in found if not isinstance(one, Exception)]
        assert {type(one) for one in found if isinstance(one, Exception)} <= {ManualLock}
        for job in jobs:
            with pytest.raises(Ended):
                await holding.claim(db, job)
            assert (await _job(db, job)).error["code"] == "manual-lock"
        await _lift(db, queue, view)
        assert view.token == turn + 1


async def test_a_claim_that_crosses_a_lock_begins_before_it_or_ends(db, queue, vault, site):
    for _ in range(10):
        job = (await factories.request(db, queue, vault)).job
        view, claim = await asyncio.gather(
            _place(db), holding.claim(db, job), return_exceptions=True
        )
        found = await _job(db, job)
        if isinstance(claim, Ended):
            assert found.error["code"] == "manual-lock"
        else:
            assert found.status is JobStatus.RUNNING
            await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)
        await _lift(db, queue, view)
