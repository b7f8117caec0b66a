import itertools

import pytest

from app.domain.app_server import (
    TRANSITIONS,
    AppServerStatus,
    WrongState,
    check_transition,
    failure_of,
)

NEW, WAITING, CONFIGURING, RUNNING, FAILED, ERROR, TERMINATED = AppServerStatus
PAIRS = list(itertools.product(AppServerStatus, AppServerStatus))
#: As the table of the predecessor has it, written out.
PREDECESSORS = {
    (NEW, WAITING),
    (NEW, ERROR),
    (WAITING, CONFIGURING),
    (WAITING, ERROR),
    (CONFIGURING, RUNNING),
    (CONFIGURING, FAILED),
    (RUNNING, TERMINATED),
}
#: The job that made it may take it back after it ran.
ALLOWED = PREDECESSORS | {(RUNNING, FAILED)}


def test_the_table_is_the_predecessors_and_the_way_back_of_a_job():
    assert TRANSITIONS == ALLOWED


@pytest.mark.parametrize(("current", "wanted"), [pair for pair in PAIRS if pair in ALLOWED])
def test_a_move_in_the_table_is_allowed(current, wanted):
    check_transition(current, wanted)


@pytest.mark.parametrize(("current", "wanted"), [pair for pair in PAIRS if pair not in ALLOWED])
def test_any_other_move_raises(current, wanted):
    with pytest.raises(WrongState, match=f"from {current} to {wanted}"):
        check_transition(current, wanted)


@pytest.mark.parametrize("current", AppServerStatus)
def test_a_failed_job_leaves_no_app_server_in_between(current):
    final = failure_of(current)
    if final is None:
        assert current not in {
            AppServerStatus.NEW,
            AppServerStatus.WAITING,
            AppServerStatus.CONFIGURING,
        }
    else:
        check_transition(current, final)
