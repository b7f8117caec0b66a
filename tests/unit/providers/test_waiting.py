import pytest

from app.domain.machine import MachineStatus, SteadyState, TimedOut, Wait
from worker.providers.waiting import wait_until

BOOTING, READY = MachineStatus.BOOTING, MachineStatus.READY


class Timeline:
    """Time passes only while somebody pauses; each look finds the next state, at last the last."""

    def __init__(self, *states):
        self.states, self.now, self.looks, self.pauses = states, 100.0, 0, []

    def clock(self):
        return self.now

    async def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    async def look(self):
        self.looks += 1
        return self.states[min(self.looks, len(self.states)) - 1]

    async def wait(self, longest, every, wanted=(READY,)):
        return await wait_until(
            self.look, wanted, Wait(longest, every), clock=self.clock, pause=self.pause
        )


async def test_a_state_that_is_there_is_not_waited_for():
    line = Timeline(READY)
    assert await line.wait(10, 1) is READY
    assert line.pauses == []


async def test_a_state_that_comes_is_seen_at_the_next_look():
    line = Timeline(BOOTING, BOOTING, READY)
    assert await line.wait(10, 3) is READY
    assert line.pauses == [3, 3]


async def test_the_first_of_several_wanted_states_ends_the_wait():
    line = Timeline(BOOTING, MachineStatus.TERMINATED)
    assert await line.wait(10, 1, {READY, MachineStatus.TERMINATED}) is MachineStatus.TERMINATED


async def test_a_wrong_state_that_stays_is_an_error_at_once():
    line = Timeline(BOOTING, MachineStatus.FAILED)
    with pytest.raises(SteadyState):
        await line.wait(10, 1)
    assert line.now == 101


async def test_the_wait_ends_with_its_time_after_one_more_look():
    line = Timeline(BOOTING)
    with pytest.raises(TimedOut, match="not ready after 10 s"):
        await line.wait(10, 4)
    assert line.pauses == [4, 4, 2]
    assert line.looks == 4


async def test_what_goes_wrong_while_looking_is_not_swallowed():
    async def look():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await wait_until(look, {READY}, Wait(10, 1))
