from uuid import UUID

import pytest

from app.domain.app_server import AppServerStatus as S
from app.domain.deployment import InstanceState as State
from app.domain.deployment import Try, helps_another_try, state_of, try_of
from app.domain.job import Ending, EndingWhy, JobKind, JobStatus

ID = UUID(int=1)

#: Case 31: app servers of the newest request, how many are wanted, whether there was an earlier.
STATES = [
    ([], 1, False, State.PREPARING),
    ([S.NEW], 1, False, State.PREPARING),
    ([S.WAITING], 1, False, State.PREPARING),
    ([S.CONFIGURING], 1, False, State.PREPARING),
    ([S.RUNNING, S.CONFIGURING], 2, False, State.PREPARING),
    ([S.FAILED, S.CONFIGURING], 1, False, State.PREPARING),
    ([S.NEW], 1, True, State.CHANGES_PENDING),
    ([S.NEW, S.NEW], 2, True, State.CHANGES_PENDING),
    ([S.WAITING], 1, True, State.PROVISIONING),
    ([S.CONFIGURING], 1, True, State.PROVISIONING),
    ([S.RUNNING, S.NEW], 2, True, State.PROVISIONING),
    ([S.FAILED, S.NEW], 1, True, State.PROVISIONING),
    ([S.RUNNING], 1, False, State.HEALTHY),
    ([S.RUNNING], 1, True, State.HEALTHY),
    ([S.RUNNING, S.RUNNING], 2, False, State.HEALTHY),
    ([S.FAILED, S.RUNNING], 1, False, State.HEALTHY),
    ([S.RUNNING, S.FAILED], 2, False, State.UNHEALTHY),
    ([S.RUNNING, S.ERROR], 2, True, State.UNHEALTHY),
    ([S.RUNNING, S.TERMINATED], 2, False, State.UNHEALTHY),
    ([S.FAILED], 1, False, State.UNHEALTHY),
    ([S.ERROR], 1, True, State.UNHEALTHY),
    ([S.TERMINATED], 1, False, State.OFFLINE),
    ([S.TERMINATED, S.TERMINATED], 2, True, State.OFFLINE),
]


@pytest.mark.parametrize(("statuses", "wanted", "earlier", "expected"), STATES)
def test_the_state_of_an_instance_follows_from_its_newest_request(
    statuses, wanted, earlier, expected
):
    assert state_of(statuses, wanted=wanted, earlier=earlier) is expected


def test_a_provision_of_an_earlier_release_stands_for_itself():
    assert try_of(ID, {}) == Try(ID, of=1, number=1, most=1, activate=False)


def test_a_try_is_read_from_the_params_of_its_job():
    params = {"deployment": str(UUID(int=2)), "of": 2, "try": 2, "tries": 3, "activate": True}
    assert try_of(ID, params) == Try(UUID(int=2), of=2, number=2, most=3, activate=True)


def test_the_last_of_the_tries_is_known():
    assert [try_of(ID, {"try": n, "tries": 2}).is_last for n in (1, 2)] == [False, True]


def _helps(code, why=None, kind=JobKind.PROVISION, status=JobStatus.FAILED):
    return helps_another_try(kind, status, code, why and Ending(why, at="now"))


@pytest.mark.parametrize("code", ["step-failed", "check-failed", "host-unreachable", "worker-lost"])
def test_another_app_server_may_be_spared_what_this_one_met(code):
    assert _helps(code)


@pytest.mark.parametrize("code", ["canceled", "deadline-exceeded", "lock-broken", "manual-lock"])
def test_what_somebody_wanted_to_end_is_not_tried_again(code):
    assert not _helps(code)


@pytest.mark.parametrize("why", [EndingWhy.CANCELED, EndingWhy.DEADLINE, EndingWhy.LOCK_WAIT])
def test_a_job_that_was_told_to_stop_is_not_tried_again_whatever_it_failed_of(why):
    assert not _helps("step-failed", why)


def test_a_job_that_was_stopped_since_its_workers_were_lost_is_tried_again():
    assert _helps("worker-lost", EndingWhy.WORKER_LOST)


@pytest.mark.parametrize("status", [JobStatus.CANCELED, JobStatus.SUPERSEDED, JobStatus.SUCCEEDED])
def test_only_what_failed_is_tried_again(status):
    assert not _helps("step-failed", status=status)


def test_only_a_provision_is_tried_again_by_itself():
    assert not _helps("step-failed", kind=JobKind.ACTIVATE)
