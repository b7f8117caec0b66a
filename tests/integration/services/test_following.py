"""Jobs that follow by themselves: other attempts on new app servers, and then the switch."""

from uuid import UUID

import pytest

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus, WaitPolicy
from app.errors import LostOwnership
from tests.support import deployments, factories
from tests.support.deployments import active_numbers, ask, fail, job_of, jobs_of, succeed, switch


@pytest.fixture
async def site(db):
    return await deployments.add_routed_site(db)


async def _statuses(db):
    return [row.status for row in await deployments.app_servers(db)]


async def _told(db, job, kind):
    return [event.data for event in await factories.events(db, job.id) if event.type == kind]


async def _follower(db, job):
    return await job_of(db, UUID((await job_of(db, job.id)).params["next"]))


async def test_a_manual_provision_is_followed_by_nothing(db, queue, vault, site):
    [job] = await ask(db, queue, vault)
    assert await succeed(db, job) == []
    assert await jobs_of(db, JobKind.ACTIVATE) == []
    assert await active_numbers(db) == []


async def test_a_manual_provision_that_fails_is_not_tried_again(db, queue, vault, site):
    [job] = await ask(db, queue, vault)
    assert await fail(db, job) == []
    assert await _statuses(db) == [AppServerStatus.FAILED]


async def test_an_automatic_provision_is_followed_by_its_activation(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    pushed = await succeed(db, job)
    [activation] = await jobs_of(db, JobKind.ACTIVATE)
    [app_server] = await deployments.app_servers(db)
    assert pushed == [(activation.id, 1)]
    assert activation.params["app_servers"] == [str(app_server.id)]
    assert activation.params["sequence"] == job.sequence
    assert activation.params["deployment"] == str(job.id)
    assert (await _follower(db, job)).id == activation.id
    followed = {"job": str(activation.id), "why": "activation"}
    assert await _told(db, job, EventType.JOB_FOLLOWED) == [followed]
    assert (await factories.event_types(db, job.id))[-1] == EventType.JOB_SUCCEEDED


async def test_an_activation_that_succeeds_is_kept_as_the_newest_request(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    await succeed(db, job)
    [activation] = await jobs_of(db, JobKind.ACTIVATE)
    assert await switch(db, activation) == []
    assert await active_numbers(db) == [1]
    assert (await deployments.instance_row(db)).activated_sequence == job.sequence


async def test_a_failed_attempt_is_followed_by_one_on_a_new_app_server(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    [(next_id, attempt)] = await fail(db, job)
    again = await job_of(db, next_id)
    assert (attempt, again.retry_of, again.params["try"]) == (1, job.id, 2)
    assert again.params["deployment"] == job.params["deployment"]
    assert await _statuses(db) == [AppServerStatus.FAILED, AppServerStatus.NEW]
    followed = {"job": str(again.id), "why": "attempt", "attempt": 2, "of": 2}
    assert await _told(db, job, EventType.JOB_FOLLOWED) == [followed]
    types = await factories.event_types(db, job.id)
    assert types[-3:] == [
        EventType.APP_SERVER_FAILED,
        EventType.JOB_FOLLOWED,
        EventType.JOB_FAILED,
    ]


async def test_the_second_attempt_goes_into_service_when_it_succeeds(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    await fail(db, job)
    await succeed(db, await _follower(db, job))
    [activation] = await jobs_of(db, JobKind.ACTIVATE)
    await switch(db, activation)
    assert await active_numbers(db) == [2]


async def test_three_attempts_leave_three_failed_app_servers(db, queue, vault, site):
    [job] = await ask(db, queue, vault, attempts=3)
    await fail(db, job)
    second = await _follower(db, job)
    await fail(db, second)
    third = await _follower(db, second)
    assert await fail(db, third) == []
    assert [one.params["try"] for one in (job, second, third)] == [1, 2, 3]
    followed = [await _told(db, one, EventType.JOB_FOLLOWED) for one in (job, second, third)]
    assert followed == [
        [{"job": str(second.id), "why": "attempt", "attempt": 2, "of": 3}],
        [{"job": str(third.id), "why": "attempt", "attempt": 3, "of": 3}],
        [],
    ]
    assert await _statuses(db) == [AppServerStatus.FAILED] * 3
    assert len(await jobs_of(db, JobKind.PROVISION)) == 3


async def test_three_attempts_are_one_when_the_first_succeeds(db, queue, vault, site):
    [job] = await ask(db, queue, vault, attempts=3)
    assert await succeed(db, job) == []
    assert await _statuses(db) == [AppServerStatus.RUNNING]


@pytest.mark.parametrize("code", ["deadline-exceeded", "cancel-unproven", "secret-missing"])
async def test_an_end_that_would_be_the_same_again_is_followed_by_nothing(
    db, queue, vault, site, code
):
    [job] = await ask(db, queue, vault, activate=True)
    assert await fail(db, job, code) == []


async def test_a_canceled_job_is_followed_by_nothing(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    assert await fail(db, job, "canceled", JobStatus.CANCELED) == []


async def test_a_job_that_fails_of_itself_once_it_was_canceled_is_not_tried_again(
    db, queue, vault, site
):
    [job] = await ask(db, queue, vault, activate=True)
    running = await deployments.build(db, job, AppServerStatus.WAITING)
    await services.commands.cancel(db, queue, job.id, actor="me")
    error = {"code": "step-failed"}
    pushed = await services.ending.settle(db, running, status=JobStatus.FAILED, error=error)
    assert pushed == []
    assert len(await jobs_of(db, JobKind.PROVISION)) == 1


async def test_a_job_whose_lock_was_broken_is_not_tried_again(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    await deployments.build(db, job)
    await services.breaking.break_lock(
        db, queue, "instance:shop", token=1, reason="it hangs", actor="me", force=True
    )
    assert len(await jobs_of(db, JobKind.PROVISION)) == 1


async def test_a_job_that_is_given_up_with_its_workers_is_tried_again(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    for _ in range(2):
        await deployments.claim(db, job)
        await deployments.execute(db, "UPDATE jobs SET lease_until = now() - interval '1 s'")
        await services.recovery.recover(db, policy=WaitPolicy(most_lost_workers=1))
    assert (await job_of(db, job.id)).error["code"] == "worker-lost"
    again = await _follower(db, job)
    assert (again.params["try"], again.status) == (2, JobStatus.QUEUED)


async def test_two_app_servers_go_into_service_together(db, queue, vault, site):
    await deployments.execute(db, "UPDATE instances SET target_count = 2")
    first, second = await ask(db, queue, vault, activate=True)
    assert await succeed(db, first) == [(second.id, 1)]
    assert await jobs_of(db, JobKind.ACTIVATE) == []
    await succeed(db, second)
    [activation] = await jobs_of(db, JobKind.ACTIVATE)
    await switch(db, activation)
    assert await active_numbers(db) == [1, 2]


async def test_one_of_two_that_fails_for_good_leaves_the_old_set_in_service(db, queue, vault, site):
    await deployments.serve(db, queue, vault)
    await deployments.execute(db, "UPDATE instances SET target_count = 2")
    first, second = await ask(db, queue, vault, activate=True, attempts=1)
    await succeed(db, first)
    assert await fail(db, second) == []
    assert len(await jobs_of(db, JobKind.ACTIVATE)) == 1
    assert await active_numbers(db) == [1]


async def test_an_older_request_that_is_late_is_not_put_into_service(db, queue, vault, site):
    [older] = await ask(db, queue, vault, activate=True)
    [newer] = await ask(db, queue, vault, activate=True)
    running = await deployments.build(
        db,
        older,
        AppServerStatus.WAITING,
        AppServerStatus.CONFIGURING,
        AppServerStatus.RUNNING,
    )
    # As if the newer one had been carried out beside it.
    await deployments.execute(db, "UPDATE instances SET activated_sequence = $1", newer.sequence)
    rivals = await services.ending.settle(db, running, status=JobStatus.SUCCEEDED)
    assert rivals == [(newer.id, 1)]
    assert await jobs_of(db, JobKind.ACTIVATE) == []
    [app_server, _] = await deployments.app_servers(db)
    skipped = {"app_servers": [str(app_server.id)], "newer": str(newer.id)}
    assert await _told(db, older, EventType.ACTIVATION_SKIPPED) == [skipped]


async def test_an_attempt_that_lost_its_job_is_followed_by_nothing(db, queue, vault, site):
    [job] = await ask(db, queue, vault, activate=True)
    running = await deployments.build(db, job)
    await services.claiming.hand_over(db, running)
    with pytest.raises(LostOwnership):
        await services.ending.settle(
            db, running, status=JobStatus.FAILED, error={"code": "step-failed"}
        )
    assert len(await jobs_of(db, JobKind.PROVISION)) == 1
