"""Who has which lock, since when, whether that is alive, who waits, and what to do about it."""

from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.domain.job import JobKind, JobStatus, LeasePolicy
from app.errors import NotFound
from app.services.claiming import Blocked
from app.store.database import driver
from tests.support import factories, holding


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
async def job(db, queue, vault, site):
    return (await factories.request(db, queue, vault, revision="v2")).job


async def _names(db, **page):
    return [
        view.name
        for view in await services.locks.list_page(db, **{"after": None, "limit": 9} | page)
    ]


async def test_nobody_holds_a_lock_before_anything_has_begun(db, job):
    assert await _names(db) == []
    with pytest.raises(NotFound, match="Nobody holds instance:shop"):
        await services.locks.get(db, "instance:shop")


async def test_a_running_job_holds_the_lock_on_its_instance_and_answers_what_people_ask(db, job):
    claim = await holding.claim(db, job)
    await holding.begin_step(db, claim, "one\n", "two\n\n")
    view = await services.locks.get(db, "instance:shop")
    assert (view.name, view.token, view.message, view.actor) == ("instance:shop", 1, None, "tests")
    holder = view.holder
    assert (holder.job, holder.kind, holder.why) == (job.id, "provision", "provision of shop to v2")
    assert (holder.status, holder.attempt, holder.worker) == (JobStatus.RUNNING, 1, "web-3:7")
    assert (holder.step, holder.last_line, holder.alive) == ("Look", "two", True)
    assert holder.lease_until - holder.heard_at == LeasePolicy().lease
    assert holder.since <= view.since <= holder.step_since <= datetime.now(UTC)
    assert not view.safe_to_break
    assert f"liftlock jobs cancel {job.id}" in view.advice


async def test_the_last_line_is_put_together_from_pieces_and_the_step_is_the_one_begun_last(
    db, job
):
    claim = await holding.claim(db, job)
    await holding.begin_step(db, claim, "old\n")
    await holding.begin_step(db, claim, "half a ", "line", "\n", number=2, title="Leap")
    holder = (await services.locks.get(db, "instance:shop")).holder
    assert (holder.step, holder.last_line) == ("Leap", "half a line")


async def test_a_job_that_has_said_nothing_yet_has_no_last_line(db, job):
    await holding.claim(db, job)
    holder = (await services.locks.get(db, "instance:shop")).holder
    assert (holder.step, holder.step_since, holder.last_line) == (None, None, None)


async def test_a_lock_is_found_by_the_name_of_its_instance_and_by_its_id(db, job):
    await holding.claim(db, job)
    assert (await services.locks.get(db, f"instance:{job.instance_id}")).name == "instance:shop"


@pytest.mark.parametrize(
    "name", ["instance:blog", "host:alpha", "host:none", "manual:all", "shop", "manual:site:shop"]
)
async def test_what_nobody_holds_is_not_found(db, job, name):
    await holding.claim(db, job)
    with pytest.raises(NotFound):
        await services.locks.get(db, name)


async def test_a_silent_holder_is_not_alive_and_its_lock_may_be_broken(db, job):
    await holding.claim(db, job)
    await holding.expire_leases(db)
    view = await services.locks.get(db, "instance:shop")
    assert (view.holder.alive, view.holder.worker, view.safe_to_break) == (False, "web-3:7", True)
    assert "within 20 s" in view.advice


async def test_a_holder_that_no_worker_took_up_in_time_says_how_to_start_one(db, job):
    await holding.claim(db, job)
    await holding.execute(db, "UPDATE jobs SET lease_until = now() - interval '21 s'")
    view = await services.locks.get(db, "instance:shop")
    assert view.safe_to_break
    assert "liftlock worker" in view.advice


async def test_a_holder_that_was_told_to_stop_is_not_said_to_need_a_cancel(db, queue, job):
    await holding.claim(db, job)
    await services.commands.cancel(db, queue, job.id, actor="bob")
    view = await services.locks.get(db, "instance:shop")
    assert view.holder.status is JobStatus.CANCELING
    assert "A cancel was asked for by bob" in view.advice
    assert view.advice.endswith(f"liftlock jobs cancel {job.id} --force")


async def test_a_job_between_two_attempts_keeps_its_lock_without_a_worker(db, job):
    claim = await holding.claim(db, job)
    await services.claiming.hand_over(db, claim.job)
    holder = (await services.locks.get(db, "instance:shop")).holder
    assert (holder.status, holder.worker, holder.heard_at) == (JobStatus.QUEUED, None, None)


async def test_a_suspended_job_keeps_its_lock_and_says_what_it_waits_for(db, job):
    await holding.suspend(db, await holding.claim(db, job))
    view = await services.locks.get(db, "instance:shop")
    assert (view.holder.alive, view.safe_to_break) == (False, True)
    assert "it is told" in view.advice


async def test_the_lock_of_a_job_that_has_ended_is_nobodys(db, job):
    claim = await holding.claim(db, job)
    await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)
    assert await _names(db) == []


async def test_the_second_attempt_holds_it_with_the_next_token(db, job):
    await services.claiming.hand_over(db, (await holding.claim(db, job)).job)
    await holding.claim(db, job, worker="web-4:1")
    view = await services.locks.get(db, "instance:shop")
    assert (view.token, view.holder.attempt, view.holder.worker) == (2, 2, "web-4:1")


async def test_who_is_refused_by_postgres_alone_reads_what_the_holder_does(db, queue, vault, job):
    await holding.claim(db, job)
    behind = (await factories.request(db, queue, vault)).job
    with pytest.raises(Blocked) as refused:
        await holding.claim(db, behind)
    [item] = refused.value.blocked_by
    view = await services.locks.get(db, "instance:shop")
    assert (item["job"], item["why"], item["attempt"]) == (str(job.id), view.holder.why, 1)
    assert datetime.fromisoformat(item["since"]) == view.since


async def test_those_that_wait_are_told_in_the_order_of_their_turn(db, queue, vault, job):
    await holding.claim(db, job)
    later = datetime.now(UTC) + timedelta(hours=1)
    second, third = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    await factories.request(db, queue, vault, not_before=later)
    await factories.request(db, queue, vault, dry_run=True)
    urgent = (await factories.request(db, queue, vault, priority=-1)).job
    waiting = (await services.locks.get(db, "instance:shop")).waiting
    assert [(one.job, one.position) for one in waiting] == [
        (urgent.id, 1),
        (second.id, 2),
        (third.id, 3),
    ]
    assert {(one.kind, one.actor) for one in waiting} == {("provision", "tests")}


async def test_a_holder_does_not_wait_for_itself(db, job):
    await services.claiming.hand_over(db, (await holding.claim(db, job)).job)
    assert (await services.locks.get(db, "instance:shop")).waiting == []


async def test_an_enrolment_holds_the_lock_on_its_host_and_others_wait_for_it(
    db, queue, vault, site
):
    ask = {"kind": JobKind.ENROLL, "instance": None, "host": "alpha"}
    first, second = [(await factories.request(db, queue, vault, **ask)).job for _ in range(2)]
    await factories.request(db, queue, vault)
    await holding.claim(db, first)
    view = await services.locks.get(db, "host:alpha")
    assert (view.holder.why, [one.job for one in view.waiting]) == ("enroll of alpha", [second.id])


async def test_locks_are_listed_by_name_page_by_page(db, queue, vault, site):
    host, _ = site
    recipe = await factories.add_recipe(db)
    await holding.execute(db, "UPDATE hosts SET capacity = 9")
    for name in ("blog", "Zoo", "cafe"):
        await factories.add_instance(db, recipe=recipe, host=host, name=name)
    for name in ("shop", "blog", "Zoo", "cafe"):
        await holding.claim(db, (await factories.request(db, queue, vault, instance=name)).job)
    await services.locks.place(db, on="all", message="no deploys today", actor="ann")
    first = await _names(db, limit=3)
    assert first == ["instance:Zoo", "instance:blog", "instance:cafe"]
    assert await _names(db, after=first[-1]) == ["instance:shop", "manual:all"]


async def test_an_instance_that_is_gone_does_not_break_the_list(db, job):
    await holding.claim(db, job)
    await holding.execute(db, "UPDATE jobs SET instance_id = NULL")
    await holding.execute(db, "DELETE FROM app_servers; DELETE FROM instances")
    [view] = await services.locks.list_page(db, after=None, limit=9)
    assert (view.name, view.holder.why) == (
        f"instance:{job.instance_id}",
        "provision of shop to v2",
    )
    assert (await services.locks.get(db, view.name)).waiting == []


async def test_a_renamed_instance_is_listed_by_its_new_name(db, job):
    await holding.claim(db, job)
    await holding.execute(db, "UPDATE instances SET name = 'store'")
    assert await _names(db) == ["instance:store"]
    assert (await services.locks.get(db, "instance:store")).holder.why == "provision of store to v2"


async def test_the_list_takes_two_statements_however_many_locks_there_are(db, queue, vault, site):
    host, _ = site
    recipe = await factories.add_recipe(db)
    await holding.execute(db, "UPDATE hosts SET capacity = 9")
    for name in ("blog", "cafe", "zoo"):
        await factories.add_instance(db, recipe=recipe, host=host, name=name)
        await holding.claim(db, (await factories.request(db, queue, vault, instance=name)).job)
    asked = []
    async with db.unit() as session:
        # The driver learns the types of a statement's parameters once.
        await _names(db)
        with driver(session).query_logger(lambda record: asked.append(record.query.split()[0])):
            assert len(await _names(db)) == 3
    assert asked == ["SAVEPOINT", "WITH", "SELECT", "RELEASE"]
