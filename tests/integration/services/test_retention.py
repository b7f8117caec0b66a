"""App servers that nobody needs are terminated after some days, by jobs; the others stay."""

import asyncio

import pytest

from app import services
from app.domain.job import JobKind, JobStatus
from tests.support import deployments, factories
from tests.support.deployments import ask, fail, jobs_of, serve, succeed


@pytest.fixture
async def site(db):
    return await deployments.add_routed_site(db)


async def _age(db, days, numbers):
    for name in ("created_at", "activated_at", "deactivated_at"):
        await deployments.execute(
            db,
            f"UPDATE app_servers SET {name} = {name} - make_interval(days => $1)"
            " WHERE number = ANY($2::int[])",
            days,
            numbers,
        )


async def _ended(db):
    """Numbers of the app servers whose end was asked for."""
    jobs = await jobs_of(db, JobKind.TERMINATE)
    named = {job.params["app_server"] for job in jobs}
    return [row.number for row in await deployments.app_servers(db) if str(row.id) in named]


@pytest.fixture
async def history(db, queue, vault, site):
    """1, 2 and 4 served in turn, 4 serves now; 3 failed, 5 runs beside."""
    await serve(db, queue, vault)
    await serve(db, queue, vault)
    await fail(db, (await ask(db, queue, vault))[0])
    await serve(db, queue, vault)
    await succeed(db, (await ask(db, queue, vault))[0])


async def test_what_serves_what_served_before_and_the_newest_are_kept(db, queue, history):
    await _age(db, 3, [1, 2, 3, 4, 5])
    assert await services.retention.sweep(db, queue) == 2
    assert await _ended(db) == [1, 3]


async def test_a_set_that_was_taken_back_does_not_cost_the_one_that_served_before(
    db, queue, vault, history
):
    [job] = await ask(db, queue, vault, activate=True)
    await succeed(db, job)
    taken = await deployments.claim(db, (await jobs_of(db, JobKind.ACTIVATE))[-1])
    await deployments.note_switch(db, taken)
    await deployments.note_way_back(db, taken)
    error = {"code": "site-broken"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    # A job has seen since that the router went back.
    await deployments.execute(db, "UPDATE instances SET route_applied = route_version")
    await _age(db, 3, [1, 2, 3, 4, 5, 6])
    await services.retention.sweep(db, queue)
    assert await _ended(db) == [1, 3, 5]


async def test_one_whose_port_was_taken_over_leaves_its_files_when_its_days_are_over(
    db, queue, history
):
    ended = "UPDATE app_servers SET status = 'terminated' WHERE number = 2"
    await deployments.execute(db, ended)
    await _age(db, 1, [2])
    assert await services.retention.sweep(db, queue) == 0
    await _age(db, 3, [2])
    await services.retention.sweep(db, queue)
    assert await _ended(db) == [2]


async def test_what_is_young_is_kept(db, queue, history):
    await _age(db, 3, [1])
    await _age(db, 1, [3])
    await services.retention.sweep(db, queue)
    assert await _ended(db) == [1]


async def test_one_that_never_served_is_kept_only_while_it_is_the_newest(db, queue, vault, history):
    await succeed(db, (await ask(db, queue, vault))[0])
    await _age(db, 3, [5, 6])
    await services.retention.sweep(db, queue)
    assert await _ended(db) == [5]


async def test_an_instance_without_retention_keeps_everything(db, queue, history):
    await deployments.execute(db, "UPDATE instances SET retention_days = NULL")
    await _age(db, 1000, [1, 2, 3, 4, 5])
    assert await services.retention.sweep(db, queue) == 0


async def test_an_instance_that_somebody_works_with_is_left_alone(db, queue, vault, history):
    await ask(db, queue, vault)
    await _age(db, 3, [1, 2, 3, 4, 5])
    assert await services.retention.sweep(db, queue) == 0


async def test_many_sweeps_at_once_ask_once(db, queue, history):
    await _age(db, 3, [1, 3])
    found = await asyncio.gather(*(services.retention.sweep(db, queue) for _ in range(5)))
    assert sum(found) == 2
    assert len(await jobs_of(db, JobKind.TERMINATE)) == 2


async def test_what_is_away_is_not_terminated_again(db, queue, history):
    await _age(db, 3, [1, 3])
    await services.retention.sweep(db, queue)
    for job in await jobs_of(db, JobKind.TERMINATE):
        taken = await deployments.claim(db, job)
        [target] = taken.work.targets
        await services.activation.terminated(db, taken.job, target.app_server.id)
        await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    assert await services.retention.sweep(db, queue) == 0


async def test_a_site_that_is_locked_by_hand_is_left_alone(db, queue, history):
    await services.locks.place(db, on="instance:shop", message="I look at it", actor="me")
    await _age(db, 3, [1, 3])
    assert await services.retention.sweep(db, queue) == 0


@pytest.mark.parametrize("place", ["instance:shop", "host:alpha"])
async def test_what_is_locked_by_hand_does_not_keep_others_from_their_end(
    db, queue, history, monkeypatch, place
):
    beta = await factories.add_host(db, name="beta")
    recipe = await factories.add_recipe(db)
    blog = await factories.add_instance(db, name="blog", recipe=recipe, host=beta, retention_days=1)
    for _ in range(2):
        await factories.add_app_server(db, blog, beta)
    await _age(db, 3, [1, 3])
    await services.locks.place(db, on=place, message="I look at it", actor="me")
    monkeypatch.setattr(services.retention, "_MOST", 1)
    assert await services.retention.sweep(db, queue) == 1
    assert [job.instance_id for job in await jobs_of(db, JobKind.TERMINATE)] == [blog.id]


@pytest.fixture
async def refused(db, queue, history):
    """The end of 1 was asked for by itself, which failed."""

    async def do(code="unconfirmed-gone", *, hours):
        await _age(db, 3, [1])
        await services.retention.sweep(db, queue)
        [job] = await jobs_of(db, JobKind.TERMINATE)
        taken = await deployments.claim(db, job)
        error = {"code": code, "title": "t", "detail": "d"}
        await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
        ago = "UPDATE jobs SET finished_at = finished_at - make_interval(hours => $1)"
        await deployments.execute(db, f"{ago} WHERE kind = 'terminate'", hours)

    return do


@pytest.mark.parametrize(
    ("code", "hours", "found"),
    [
        ("unconfirmed-gone", 0, 0),
        ("unconfirmed-gone", 1, 1),
        ("app-server-active", 0, 0),
        ("in-use", 23, 0),
        ("in-use", 24, 1),
    ],
)
async def test_what_could_not_be_ended_is_not_asked_for_again_at_once(
    db, queue, refused, code, hours, found
):
    await refused(code, hours=hours)
    assert await services.retention.sweep(db, queue) == found


async def test_the_longer_it_takes_the_less_often_it_is_asked_for(db, queue, refused):
    await refused(hours=20)
    assert await services.retention.sweep(db, queue) == 1
    job = (await jobs_of(db, JobKind.TERMINATE))[-1]
    taken = await deployments.claim(db, job)
    error = {"code": "unconfirmed-gone", "title": "t", "detail": "d"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    ago = "UPDATE jobs SET finished_at = finished_at - interval '9 hours' WHERE kind = 'terminate'"
    await deployments.execute(db, ago)
    assert await services.retention.sweep(db, queue) == 0
    await deployments.execute(db, ago.replace("9", "2"))
    assert await services.retention.sweep(db, queue) == 1


async def test_what_the_router_may_still_pass_requests_on_to_is_left_alone(db, queue, history):
    await _age(db, 3, [1, 3])
    await deployments.execute(db, "UPDATE instances SET route_version = route_applied + 1")
    await services.retention.sweep(db, queue)
    assert await _ended(db) == [3]
