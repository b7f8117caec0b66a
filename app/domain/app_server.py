"""App servers: one immutable deployment each, and the only ways its state may move."""

import re
from enum import StrEnum
from uuid import UUID

_NUMBERED = re.compile(r"([a-z0-9][a-z0-9-]{0,62}):([1-9][0-9]{0,8})")


class AppServerStatus(StrEnum):
    NEW = "new"
    #: Its host is being reached and checked.
    WAITING = "waiting"
    #: Its release is being built on the host.
    CONFIGURING = "configuring"
    RUNNING = "running"
    #: It could not be configured; its files and log stay for inspection.
    FAILED = "failed"
    #: Its host could not be used at all.
    ERROR = "error"
    TERMINATED = "terminated"


#: The table of Ocim's AppServer state machine; whatever is not here raises.
TRANSITIONS: frozenset[tuple[AppServerStatus, AppServerStatus]] = frozenset(
    {
        (AppServerStatus.NEW, AppServerStatus.WAITING),
        (AppServerStatus.NEW, AppServerStatus.ERROR),
        (AppServerStatus.WAITING, AppServerStatus.CONFIGURING),
        (AppServerStatus.WAITING, AppServerStatus.ERROR),
        (AppServerStatus.CONFIGURING, AppServerStatus.RUNNING),
        (AppServerStatus.CONFIGURING, AppServerStatus.FAILED),
        (AppServerStatus.RUNNING, AppServerStatus.TERMINATED),
        # Not his: the job that made it has taken it back.
        (AppServerStatus.RUNNING, AppServerStatus.FAILED),
    }
)

#: States in which the app server owns its port on the host.
HOLDS_PORT = frozenset(
    {
        AppServerStatus.NEW,
        AppServerStatus.WAITING,
        AppServerStatus.CONFIGURING,
        AppServerStatus.RUNNING,
    }
)


class WrongState(Exception):
    """An app server was asked to move in a way that its life does not allow."""

    def __init__(self, current: AppServerStatus, wanted: AppServerStatus) -> None:
        super().__init__(f"An app server cannot go from {current} to {wanted}.")
        self.current = current
        self.wanted = wanted


def check_transition(current: AppServerStatus, wanted: AppServerStatus) -> None:
    """Raise WrongState unless the move is in the table."""
    if (current, wanted) not in TRANSITIONS:
        raise WrongState(current, wanted)


def failure_of(current: AppServerStatus) -> AppServerStatus | None:
    """Where an app server ends when its job fails now; None when it stays as it is."""
    if current is AppServerStatus.CONFIGURING:
        return AppServerStatus.FAILED
    if current in {AppServerStatus.NEW, AppServerStatus.WAITING}:
        return AppServerStatus.ERROR
    return None


def parse_ref(text: str) -> UUID | tuple[str, int]:
    """An id, or the name of an instance and a number, from `guestbook:2`; raises ValueError."""
    numbered = _NUMBERED.fullmatch(text)
    return (numbered[1], int(numbered[2])) if numbered else UUID(text)
