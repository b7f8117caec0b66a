import asyncio

import pytest

from app.domain.machine import Machine, MachineStatus, Wait, Waits, WrongState
from tests.support.fake_provider import FakeProvider, impossible
from worker.providers.lifecycle import Lifecycle
from worker.providers.provider import MachineFailed, ProviderFailed, Wish

PENDING, BUILDING, BOOTING, READY, FAILED, UNKNOWN, TERMINATED = MachineStatus
SOON = Wait(0.05, 0.01)
LOST = ProviderFailed("The program took longer than 3600 s.", hint="Try it.")


class Records:
    """What was recorded, in one order with what the provider was asked."""

    def __init__(self):
        self.provider, self.up = FakeProvider(), True
        self.life = Lifecycle(
            self.provider,
            self.record,
            self.show,
            Waits(state=SOON, reboot=SOON, shutdown=SOON),
            self.answers,
        )
        self.machine = Machine("t-1")

    async def record(self, machine):
        self.machine = machine
        self.provider.calls.append(("record", machine.status))

    async def show(self, line):
        pass

    async def answers(self, address, port):
        self.provider.calls.append(("reach", f"{address}:{port}"))
        return self.up

    async def make(self):
        return await self.life.make(self.machine, Wish())

    async def end(self):
        return await self.life.end(self.machine)

    @property
    def states(self):
        return [told for action, told in self.provider.calls if action == "record"]

    @property
    def asked(self):
        return [action for action, _ in self.provider.calls if action in {"create", "destroy"}]


@pytest.fixture
def records():
    return Records()


async def test_each_state_is_recorded_before_the_provider_is_asked_for_the_next(records):
    await records.make()
    assert records.provider.calls == [
        ("record", BUILDING),
        ("create", "t-1"),
        ("record", BOOTING),
        ("reach", "192.0.2.1:22"),
        ("record", READY),
    ]


async def test_a_machine_that_is_ready_is_known_by_the_providers_name(records):
    machine, made = await records.make()
    assert machine.machine_id == made.machine_id == records.machine.machine_id


async def test_a_machine_that_cannot_be_made_has_failed(records):
    """Case 14."""
    records.provider.create_fails = impossible("t-1")
    with pytest.raises(MachineFailed, match="no room for t-1"):
        await records.make()
    assert records.states == [BUILDING, FAILED]


async def test_a_machine_of_which_nobody_can_tell_is_unknown(records):
    records.provider.create_fails = LOST
    with pytest.raises(ProviderFailed):
        await records.make()
    assert records.states == [BUILDING, UNKNOWN]


async def test_a_machine_that_never_answers_is_unknown_and_kept(records):
    records.up = False
    with pytest.raises(MachineFailed, match=r"does not answer SSH at 192\.0\.2\.1:22"):
        await records.make()
    assert records.states == [BUILDING, BOOTING, UNKNOWN]
    assert records.asked == ["create"]


@pytest.mark.parametrize("status", [BUILDING, BOOTING])
async def test_what_an_ended_worker_left_is_unknown_first_and_then_gone_on_with(records, status):
    records.machine = Machine("t-1", status)
    await records.make()
    assert records.states == [UNKNOWN, BUILDING, BOOTING, READY]


async def test_a_make_that_is_cancelled_goes_on_with_the_same_machine(records):
    held = asyncio.Event()

    async def answers(address, port):
        held.set()
        await asyncio.Event().wait()

    cut = Lifecycle(records.provider, records.record, records.show, Waits(), answers)
    making = asyncio.create_task(cut.make(records.machine, Wish()))
    await held.wait()
    making.cancel()
    await asyncio.wait({making})
    assert records.machine.status is BOOTING
    first = records.machine.machine_id
    assert (await records.make())[0].machine_id == first


@pytest.mark.parametrize("status", [FAILED, READY, TERMINATED])
async def test_a_machine_whose_making_is_over_is_not_made_again(records, status):
    """Case 13, for machines."""
    records.machine = Machine("t-1", status)
    with pytest.raises(WrongState):
        await records.make()
    assert records.asked == []


async def test_no_machine_is_made_that_could_not_be_recorded(records):
    """Case 23: whatever stops the record, such as a cancel, stops the machine."""

    async def refused(machine):
        raise asyncio.CancelledError

    life = Lifecycle(records.provider, refused, records.show, Waits())
    with pytest.raises(asyncio.CancelledError):
        await life.make(Machine("t-1"), Wish())
    assert records.asked == []


async def test_a_machine_that_is_gone_is_terminated(records):
    """Case 21: also one that the provider does not know."""
    records.machine = Machine("t-1", READY)
    assert (await records.end()).status is TERMINATED


@pytest.mark.parametrize("status", [BUILDING, BOOTING, READY])
async def test_a_machine_that_cannot_be_confirmed_gone_is_unknown_and_told(records, status):
    """Case 21."""
    records.machine = Machine("t-1", status)
    records.provider.destroy_fails = "The API answered 500."
    with pytest.raises(ProviderFailed, match=r"whether the machine t-1 is gone: The API answered"):
        await records.end()
    assert records.states == [UNKNOWN]


@pytest.mark.parametrize("status", [PENDING, FAILED, UNKNOWN, TERMINATED])
async def test_a_state_that_cannot_become_unknown_stays(records, status):
    records.machine = Machine("t-1", status)
    records.provider.destroy_fails = "The API answered 500."
    with pytest.raises(ProviderFailed):
        await records.end()
    assert records.states == []


async def test_a_removal_that_failed_can_be_repeated(records):
    records.machine = Machine("t-1", READY)
    records.provider.destroy_fails = "The API answered 500."
    with pytest.raises(ProviderFailed):
        await records.end()
    records.provider.destroy_fails = ""
    assert (await records.end()).status is TERMINATED


async def test_a_removal_is_asked_for_again_when_it_is_done_again(records):
    await records.end()
    await records.end()
    assert records.asked == ["destroy", "destroy"]


async def test_a_ready_machine_that_answers_is_confirmed(records):
    machine, made = await records.make()
    assert await records.life.confirm(machine, made) == machine


async def test_a_ready_machine_that_answers_no_more_is_unknown(records):
    machine, made = await records.make()
    records.up = False
    with pytest.raises(MachineFailed, match="does not answer SSH"):
        await records.life.confirm(machine, made)
    assert records.machine.status is UNKNOWN


async def test_a_removed_machine_that_stays_listed_is_told(records):
    machine, _ = await records.make()
    with pytest.raises(MachineFailed, match="was removed, and is still listed"):
        await records.life.unlisted(machine)
