"""Machines that a provider makes: their states, and how long a state is waited for."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self


class MachineStatus(StrEnum):
    #: Recorded; the provider was not asked yet.
    PENDING = "pending"
    BUILDING = "building"
    #: It is made, and does not answer yet.
    BOOTING = "booting"
    READY = "ready"
    #: The provider made none, and said so.
    FAILED = "failed"
    #: Nobody can tell whether there is one.
    UNKNOWN = "unknown"
    TERMINATED = "terminated"


_MOVES = {
    MachineStatus.BUILDING: (MachineStatus.PENDING, MachineStatus.UNKNOWN),
    MachineStatus.FAILED: (MachineStatus.BUILDING, MachineStatus.UNKNOWN),
    MachineStatus.BOOTING: (MachineStatus.BUILDING, MachineStatus.READY, MachineStatus.UNKNOWN),
    MachineStatus.READY: (MachineStatus.BOOTING, MachineStatus.UNKNOWN),
    MachineStatus.UNKNOWN: (MachineStatus.BUILDING, MachineStatus.BOOTING, MachineStatus.READY),
    MachineStatus.TERMINATED: tuple(MachineStatus),
}

#: The table of Ocim's machine states; whatever is not here raises.
TRANSITIONS: frozenset[tuple[MachineStatus, MachineStatus]] = frozenset(
    (current, wanted) for wanted, origins in _MOVES.items() for current in origins
)

#: States that a machine does not leave by itself.
STEADY = frozenset({MachineStatus.READY, MachineStatus.FAILED, MachineStatus.TERMINATED})


#: There is none for certain.
NO_MACHINE = frozenset({MachineStatus.FAILED, MachineStatus.TERMINATED})


class WrongState(Exception):
    """A machine was asked to move in a way that its life does not allow."""

    def __init__(self, current: MachineStatus, wanted: MachineStatus) -> None:
        super().__init__(f"A machine cannot go from {current} to {wanted}.")
        self.current = current
        self.wanted = wanted


def check_transition(current: MachineStatus, wanted: MachineStatus) -> None:
    """Raise WrongState unless the move is in the table."""
    if (current, wanted) not in TRANSITIONS:
        raise WrongState(current, wanted)


@dataclass(frozen=True)
class Machine:
    """What is recorded of a machine; its tag is known before there is one."""

    tag: str
    status: MachineStatus = MachineStatus.PENDING
    #: The provider's own name for it; empty until it has told one.
    machine_id: str = ""

    def become(self, status: MachineStatus, *, machine_id: str = "") -> Self:
        """The same machine in another state; raises WrongState."""
        check_transition(self.status, status)
        return replace(self, status=status, machine_id=machine_id or self.machine_id)


#: No state is waited for longer than a day.
_LONGEST = 86_400.0


@dataclass(frozen=True)
class Wait:
    """How long a state is waited for, and how often it is looked at, in seconds.

    Raises ValueError for a wait that would not begin, or not end.
    """

    longest: float
    every: float

    def __post_init__(self) -> None:
        # Not a number is in no range.
        if not 0 < self.longest <= _LONGEST:
            raise ValueError(
                f"a wait takes more than 0 and at most {_LONGEST:.0f} s, not {self.longest:g}"
            )
        if not 0 < self.every <= _LONGEST:
            raise ValueError(f"a wait looks again after more than 0 s, not {self.every:g}")


@dataclass(frozen=True)
class Waits:
    """Ocim's bounds are the defaults."""

    #: For a machine that was made to answer.
    state: Wait = Wait(3600, 1)
    #: For one that has answered, and may have restarted, to answer again.
    reboot: Wait = Wait(30, 1)
    #: For a machine that was removed to be listed no more.
    shutdown: Wait = Wait(600, 10)


class NeverReached(Exception):
    """A machine did not come to the state that was waited for; the text is a sentence."""


class SteadyState(NeverReached):
    """It is in another state, which it does not leave by itself."""


class TimedOut(NeverReached):
    """The time is over."""


def has_arrived(
    status: MachineStatus, wanted: Collection[MachineStatus], *, waited: float, wait: Wait
) -> bool:
    """Whether the wait is over; raises SteadyState and TimedOut when it is in vain.

    `waited` are the seconds since it began.
    """
    if status in wanted:
        return True
    goal = " or ".join(sorted(wanted))
    if status in STEADY:
        raise SteadyState(f"The machine is {status}, and does not become {goal} any more.")
    if waited >= wait.longest:
        raise TimedOut(f"The machine is {status}, and not {goal} after {wait.longest:g} s.")
    return False
