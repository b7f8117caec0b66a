from datetime import UTC, datetime, timedelta

import pytest

from app.domain.machine import NO_MACHINE, MachineStatus
from worker.providers.provider import Listed
from worker.providers.sweeping import TOLD_FOR, YOUNGEST, Known, Policy, sweep

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(hours=2), NOW - timedelta(minutes=59)
HERE = frozenset(MachineStatus) - NO_MACHINE


def listed(tag="ours-1", created=OLD, machine_id="m-1"):
    return Listed(tag, machine_id, created)


def known(status, tag="ours-1", changed=OLD, machine_id="m-1"):
    return Known(tag, status, changed, machine_id)


def swept(machines=(), records=(), elsewhere=()):
    return sweep(machines, records, elsewhere=elsewhere, prefix="ours-", now=NOW)


def orphans(*arguments):
    return [item.listed.tag for item in swept(*arguments).orphaned]


def test_a_machine_that_nobody_knows_is_an_orphan():
    (orphan,) = swept([listed()]).orphaned
    assert orphan.listed.tag == "ours-1"
    assert orphan.why == "it is not known here"


def test_a_machine_that_was_terminated_here_and_is_listed_is_an_orphan():
    (orphan,) = swept([listed()], [known(MachineStatus.TERMINATED)]).orphaned
    assert orphan.why == "it was terminated here"


def test_a_machine_whose_making_had_failed_and_is_listed_is_an_orphan():
    (orphan,) = swept([listed()], [known(MachineStatus.FAILED)]).orphaned
    assert orphan.why == "its making had failed"


@pytest.mark.parametrize("status", sorted(HERE))
def test_a_machine_that_may_be_there_is_no_orphan(status):
    assert orphans([listed()], [known(status)]) == []


@pytest.mark.parametrize("status", sorted(HERE))
def test_a_machine_of_another_provider_is_no_orphan(status):
    assert orphans([listed()], [], [known(status)]) == []


def test_a_machine_of_somebody_else_is_left_alone():
    assert orphans([listed("theirs-1"), listed("our"), listed("x-ours-1")]) == []


def test_a_young_machine_is_left_alone():
    assert orphans([listed(created=YOUNG)]) == []


@pytest.mark.parametrize("status", sorted(NO_MACHINE))
def test_a_machine_that_was_terminated_or_failed_just_now_is_left_alone(status):
    assert orphans([listed()], [known(status, changed=YOUNG)]) == []


def test_a_machine_of_exactly_the_age_is_an_orphan():
    assert orphans([listed(created=NOW - YOUNGEST)]) == ["ours-1"]


def test_orphans_are_removed_only_where_that_is_wanted():
    found = swept([listed(), listed("ours-2")])
    assert found.to_remove(Policy.REPORT) == ()
    assert found.to_remove(Policy.REMOVE) == ("ours-1", "ours-2")


def test_two_machines_of_one_tag_are_removed_by_one_order():
    assert swept([listed(), listed()]).to_remove(Policy.REMOVE) == ("ours-1",)


def test_a_machine_of_unknown_age_is_told_and_not_removed():
    found = swept([listed(created=None)])
    assert len(found.orphaned) == 1
    assert found.to_remove(Policy.REMOVE) == ()


def test_a_machine_of_unknown_age_that_was_terminated_long_ago_is_removed():
    found = swept([listed(created=None)], [known(MachineStatus.TERMINATED)])
    assert found.to_remove(Policy.REMOVE) == ("ours-1",)


def test_a_ready_machine_that_is_not_listed_has_vanished():
    assert swept([], [known(MachineStatus.READY)]).vanished == (known(MachineStatus.READY),)


@pytest.mark.parametrize("status", sorted(set(MachineStatus) - {MachineStatus.READY}))
def test_a_machine_in_another_state_does_not_vanish(status):
    assert swept([], [known(status)]).vanished == ()


def test_a_machine_that_became_ready_just_now_has_not_vanished():
    assert swept([], [known(MachineStatus.READY, changed=YOUNG)]).vanished == ()


def test_a_listed_machine_has_not_vanished():
    assert swept([listed()], [known(MachineStatus.READY)]).vanished == ()


def test_a_machine_of_another_provider_does_not_vanish_here():
    assert swept([], [], [known(MachineStatus.READY)]).vanished == ()


@pytest.mark.parametrize("status", sorted(HERE))
def test_a_second_machine_of_a_known_tag_is_told_and_not_removed(status):
    second = listed(machine_id="m-2")
    found = swept([listed(), second], [known(status)])
    assert found.doubled == (second,)
    assert found.to_remove(Policy.REMOVE) == ()


def test_a_second_machine_of_a_tag_of_another_provider_is_told():
    second = listed(machine_id="m-2")
    assert swept([listed(), second], [], [known(MachineStatus.READY)]).doubled == (second,)


def test_a_machine_that_is_alone_is_not_doubled_whatever_its_id():
    found = swept([listed(machine_id="m-2")], [known(MachineStatus.READY)])
    assert found.doubled == ()


def test_machines_of_a_tag_that_has_no_machine_are_orphans_and_not_doubled():
    twins = [listed(), listed(machine_id="m-2")]
    assert swept(twins, [known(MachineStatus.TERMINATED)]).doubled == ()
    assert swept(twins).doubled == ()


def removed(machines, records=(), **told):
    found = sweep(machines, records, prefix="ours-", now=NOW, told=told.get("told", {}))
    return found.to_remove(Policy.REMOVE)


def test_a_machine_that_was_never_asked_for_here_is_not_removed_at_first_sight():
    assert removed([listed()]) == ()


def test_it_is_removed_once_it_was_told_for_a_day():
    for since, tags in [(NOW - TOLD_FOR + timedelta(seconds=1), ()), (NOW - TOLD_FOR, ("ours-1",))]:
        assert removed([listed()], told={"ours-1": since}) == tags


def test_one_that_had_gone_and_is_there_again_is_told_for_a_day_again():
    again = Known("ours-1", MachineStatus.TERMINATED, OLD, "m-1", was_asked_for=False)
    assert removed([listed()], [again]) == ()
    assert removed([listed()], [again], told={"ours-1": NOW - TOLD_FOR}) == ("ours-1",)


def test_what_was_asked_for_here_and_is_gone_is_removed_at_first_sight():
    assert removed([listed()], [known(MachineStatus.TERMINATED)]) == ("ours-1",)
