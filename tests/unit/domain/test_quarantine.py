"""When a host of a pool takes no new app servers any more."""

import pytest

from app.domain.host import HostStatus
from app.domain.problem import CODES
from app.domain.quarantine import End, is_due, is_of_host

UNREACHABLE, BUILT = End("host-unreachable", "shop"), End(None, "shop")
FULL, BROKEN = End("disk-full", "shop"), End("step-failed", "shop")


def due(*newest_first, status=HostStatus.READY, pool="web"):
    return is_due(status, pool, newest_first)


@pytest.mark.parametrize(
    "code",
    [
        "connection-lost",
        "forwarding-refused",
        "host-unreachable",
        "runner-failed",
        "ssh-auth-failed",
    ],
)
def test_two_provisions_in_a_row_that_end_because_of_the_host_are_enough(code):
    end = End(code, "shop")
    assert code in CODES
    assert (due(end), due(end, end)) == (False, True)


def test_they_may_have_ended_for_different_reasons():
    assert due(UNREACHABLE, End("runner-failed", "shop"))


@pytest.mark.parametrize("between", [BUILT, BROKEN])
def test_another_end_between_them_starts_the_count_anew(between):
    assert not due(UNREACHABLE, between, UNREACHABLE)


def test_an_end_that_does_not_speak_of_the_host_never_closes_it():
    assert not due(BROKEN, BROKEN)
    assert not due(BUILT, UNREACHABLE, UNREACHABLE)


def test_another_key_is_enough_by_itself():
    assert due(End("host-key-changed"))


@pytest.mark.parametrize("code", ["disk-full", "not-writable"])
def test_what_a_recipe_may_bring_about_counts_beside_another_recipe_only(code):
    assert not due(End(code, "greedy"), End(code, "greedy"))
    assert not due(End(code, "greedy"), End("host-unreachable", "greedy"))
    assert due(End(code, "greedy"), End(code, "shop"))


def test_a_host_of_no_pool_is_left_to_people():
    assert not due(UNREACHABLE, UNREACHABLE, pool=None)
    assert not due(End("host-key-changed"), pool=None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (HostStatus.READY, True),
        (HostStatus.UNREACHABLE, True),
        (HostStatus.CORDONED, False),
        (HostStatus.QUARANTINED, False),
        (HostStatus.GONE, False),
    ],
)
def test_a_host_that_is_closed_stays_as_it_is(status, expected):
    assert due(UNREACHABLE, UNREACHABLE, status=status) is expected


@pytest.mark.parametrize("code", ["host-unreachable", "host-key-changed", "disk-full"])
def test_another_host_may_spare_a_try_what_this_one_met(code):
    assert is_of_host(code)


@pytest.mark.parametrize("code", [None, "step-failed", "check-failed", "revision-not-found"])
def test_the_same_would_be_met_on_every_host(code):
    assert not is_of_host(code)
