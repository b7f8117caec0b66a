"""A step's manners: what it does when it is told to stop, and when nobody knows how it ended."""

from enum import StrEnum


class OnCancel(StrEnum):
    """What an order to stop does to a step that runs."""

    #: It is killed at once, with everything it started.
    INTERRUPT = "interrupt"
    #: It may end first, because it is worse half done than done; only a forced order kills it.
    FINISH = "finish"


class OnUnknown(StrEnum):
    """What to do with a step whose process is gone and left no exit code."""

    #: Run it again: it bears that.
    REPEAT = "repeat"
    #: Ask a person what became of it.
    ASK = "ask"
