"""A machine that was to go and may be there is asked for its end again, sooner and later."""

import pytest

from app import services
from app.domain.job import JobKind, JobStatus
from tests.support import deployments, factories
from tests.support.deployments import ask, claim, jobs_of, succeed

UNCONFIRMED = {"code": "unconfirmed-gone", "title": "t", "detail": "d"}


@pytest.fixture
async def runs(db, queue, vault):
    """An app server that runs on a machine of which nobody can tell whether it is there."""
    await factories.add_instance(db, provider="cloud")
    [job] = await ask(db, queue, vault)
    await succeed(db, job)
    await unknown(db)


async def unknown(db, *, hours=2, asked=0):
    """For so many hours; it was asked for its end first as many hours before that."""
    await deployments.execute(
        db,
        "UPDATE machines SET status = 'unknown',"
        " updated_at = clock_timestamp() - make_interval(mins => $1)",
        round(hours * 60),
    )
    await deployments.execute(
        db,
        "UPDATE jobs SET finished_at = clock_timestamp() - make_interval(mins => $1)"
        " WHERE kind = 'terminate'",
        round((hours + asked) * 60),
    )


async def terminate(db, queue, vault, error=UNCONFIRMED):
    app_server = (await deployments.app_servers(db))[0]
    kind = JobKind.TERMINATE
    job = (await factories.request(db, queue, vault, kind=kind, app_server=str(app_server.id))).job
    await settle(db, job, JobStatus.FAILED if error else JobStatus.SUCCEEDED, error)


async def settle(db, job, status, error=None):
    taken = await claim(db, job)
    await services.ending.settle(db, taken.job, status=status, error=error)


async def test_its_end_is_asked_for_again(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await unknown(db)
    assert await services.retention.repeat(db, queue) == 1
    [_, again] = await jobs_of(db, JobKind.TERMINATE)
    assert (again.actor, again.status) == ("liftlock:machines", JobStatus.QUEUED)


async def test_nobody_asks_while_somebody_works_with_the_instance(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await unknown(db)
    assert await services.retention.repeat(db, queue) == 1
    assert await services.retention.repeat(db, queue) == 0


@pytest.mark.parametrize(
    ("asked", "hours", "found"),
    [
        (0, 0.8, 0),
        (0, 1, 1),
        (20, 9, 0),
        (20, 11, 1),
        (900, 23, 0),
        (900, 25, 1),
    ],
)
async def test_the_longer_it_takes_the_less_often_it_is_asked_for(
    db, queue, vault, runs, asked, hours, found
):
    await terminate(db, queue, vault)
    await unknown(db, hours=hours, asked=asked)
    assert await services.retention.repeat(db, queue) == found


async def test_one_that_nobody_wanted_to_end_is_left_alone(db, queue, vault, runs):
    assert await services.retention.repeat(db, queue) == 0


@pytest.mark.parametrize("code", ["manual-lock", "worker-lost", "canceled", "host-busy"])
async def test_another_end_of_a_later_try_tells_nothing_of_the_machine(
    db, queue, vault, runs, code
):
    await terminate(db, queue, vault)
    await terminate(db, queue, vault, {**UNCONFIRMED, "code": code})
    await unknown(db)
    assert await services.retention.repeat(db, queue) == 1


async def test_a_later_try_is_as_good_as_news_of_the_machine(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await unknown(db)
    await terminate(db, queue, vault, {**UNCONFIRMED, "code": "worker-lost"})
    assert await services.retention.repeat(db, queue) == 0


async def test_a_machine_that_others_need_now_is_left_alone(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await terminate(db, queue, vault, {**UNCONFIRMED, "code": "in-use"})
    await unknown(db)
    assert await services.retention.repeat(db, queue) == 0


async def test_one_that_went_into_service_since_is_wanted_again(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await deployments.execute(db, "UPDATE app_servers SET error = NULL")  # as an activation does
    await unknown(db)
    assert await services.retention.repeat(db, queue) == 0


async def test_a_machine_that_counts_as_ready_is_asked_for_its_end_again_too(
    db, queue, vault, runs
):
    await terminate(db, queue, vault)
    await unknown(db)
    await deployments.execute(db, "UPDATE machines SET status = 'ready'")
    assert await services.retention.repeat(db, queue) == 1


async def test_a_plan_alone_tells_nothing_of_a_machine(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await terminate(db, queue, vault, {**UNCONFIRMED, "code": "in-use"})
    await deployments.execute(
        db,
        "UPDATE jobs SET dry_run = true WHERE sequence = (SELECT max(sequence) FROM jobs)",
    )
    await unknown(db)
    assert await services.retention.repeat(db, queue) == 1


async def test_one_whose_machine_was_never_asked_for_its_end_is_left_alone(db, queue, vault, runs):
    await terminate(db, queue, vault, {**UNCONFIRMED, "code": "worker-lost"})
    await unknown(db)
    assert await services.retention.repeat(db, queue) == 0


async def test_one_that_is_gone_is_left_alone(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await unknown(db)
    await deployments.execute(db, "UPDATE app_servers SET cleaned_at = now()")
    assert await services.retention.repeat(db, queue) == 0


async def test_one_that_is_in_service_is_left_alone(db, queue, vault, runs):
    await terminate(db, queue, vault)
    await unknown(db)
    await deployments.execute(db, "UPDATE app_servers SET is_active = true")
    assert await services.retention.repeat(db, queue) == 0


@pytest.mark.parametrize("status", ["terminated", "failed"])
async def test_one_that_is_left_behind_by_its_machine_is_asked_for_its_end_too(
    db, queue, vault, runs, status
):
    await terminate(db, queue, vault)
    await unknown(db)
    await deployments.execute(db, "UPDATE machines SET status = $1", status)
    assert await services.retention.repeat(db, queue) == 1


@pytest.mark.parametrize(("canceled", "found"), [(True, 1), (False, 0)])
async def test_the_machine_of_a_job_that_was_stopped_is_to_go(db, queue, vault, canceled, found):
    await factories.add_instance(db, provider="cloud")
    [job] = await ask(db, queue, vault)
    taken = await claim(db, job)
    if canceled:
        await services.commands.cancel(db, queue, job.id, actor="ann")
    status = JobStatus.CANCELED if canceled else JobStatus.FAILED
    error = {"code": "canceled" if canceled else "step-failed", "title": "t", "detail": "d"}
    await services.ending.settle(db, taken.job, status=status, error=error)
    await unknown(db)
    assert await services.retention.repeat(db, queue) == found
