import itertools
import math

import pytest

from app.domain.machine import (
    STEADY,
    TRANSITIONS,
    Machine,
    MachineStatus,
    SteadyState,
    TimedOut,
    Wait,
    Waits,
    WrongState,
    check_transition,
    has_arrived,
)

PENDING, BUILDING, BOOTING, READY, FAILED, UNKNOWN, TERMINATED = MachineStatus
PAIRS = list(itertools.product(MachineStatus, MachineStatus))
#: As the table of the predecessor has it, written out.
ALLOWED = {
    (PENDING, BUILDING),
    (UNKNOWN, BUILDING),
    (BUILDING, FAILED),
    (UNKNOWN, FAILED),
    (BUILDING, BOOTING),
    (READY, BOOTING),
    (UNKNOWN, BOOTING),
    (BOOTING, READY),
    (UNKNOWN, READY),
    (BUILDING, UNKNOWN),
    (BOOTING, UNKNOWN),
    (READY, UNKNOWN),
    *((current, TERMINATED) for current in MachineStatus),
}
WAIT = Wait(60, 1)


def test_the_table_is_the_predecessors():
    assert TRANSITIONS == ALLOWED


@pytest.mark.parametrize(("current", "wanted"), [pair for pair in PAIRS if pair in ALLOWED])
def test_a_move_in_the_table_is_allowed(current, wanted):
    check_transition(current, wanted)


@pytest.mark.parametrize(("current", "wanted"), [pair for pair in PAIRS if pair not in ALLOWED])
def test_any_other_move_raises(current, wanted):
    with pytest.raises(WrongState, match=f"from {current} to {wanted}"):
        check_transition(current, wanted)


def test_a_machine_begins_with_its_tag_alone():
    assert Machine("tag").status is PENDING
    assert not Machine("tag").machine_id


def test_a_machine_keeps_its_id_when_its_state_changes():
    booting = Machine("tag").become(BUILDING).become(BOOTING, machine_id="m-1")
    assert booting.become(READY) == Machine("tag", READY, "m-1")


def test_a_machine_makes_no_forbidden_move():
    with pytest.raises(WrongState):
        Machine("tag").become(READY)


def test_only_ready_failed_and_terminated_are_steady():
    assert {READY, FAILED, TERMINATED} == STEADY


def test_the_bounds_are_those_of_the_predecessor():
    assert Waits() == Waits(state=Wait(3600, 1), reboot=Wait(30, 1), shutdown=Wait(600, 10))


@pytest.mark.parametrize("longest", [0, -1, math.nan, math.inf, 86_401])
def test_a_wait_that_would_not_begin_or_not_end_is_refused(longest):
    with pytest.raises(ValueError, match="more than 0 and at most 86400 s"):
        Wait(longest, 1)


@pytest.mark.parametrize("every", [0, -1, math.nan, math.inf])
def test_a_wait_that_never_looks_again_or_never_rests_is_refused(every):
    with pytest.raises(ValueError, match="looks again after more than 0 s"):
        Wait(60, every)


def test_a_wanted_state_ends_the_wait_even_when_the_time_is_over():
    assert has_arrived(READY, {READY}, waited=60, wait=WAIT)


@pytest.mark.parametrize("status", sorted(STEADY - {READY}))
def test_a_wrong_state_that_stays_ends_the_wait_at_once(status):
    with pytest.raises(SteadyState, match=f"is {status}, and does not become ready"):
        has_arrived(status, {READY}, waited=0, wait=WAIT)


@pytest.mark.parametrize("status", sorted(set(MachineStatus) - STEADY))
def test_a_state_that_may_change_is_waited_for_until_the_time_is_over(status):
    assert not has_arrived(status, {READY}, waited=59.9, wait=WAIT)
    with pytest.raises(TimedOut, match=f"is {status}, and not ready after 60 s"):
        has_arrived(status, {READY}, waited=60, wait=WAIT)
