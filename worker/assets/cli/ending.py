"""Signals that end a process at once: here they end a command as Ctrl-C does, so that the programs
that it started end with it, and what it has written so far goes.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    def __init__(self, number: int) -> None:
        super().__init__()
        #: As shells count.
        self.exit_code = 128 + number


@contextmanager
def raised() -> Iterator[None]:
    """Such a signal raises Ended; one that was ignored, as by `nohup`, still is."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    theirs = [number for number in _ENDING if before[number] is signal.SIG_DFL]
    for number in theirs:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in theirs:
            signal.signal(number, before[number])


def _raise(number: int, _: FrameType | None) -> NoReturn:
    # The next one would interrupt the cleaning up.
    signal.signal(number, signal.SIG_IGN)
    raise Ended(number)
