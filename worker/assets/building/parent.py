"""A process of a build ends with the one that started it, however that ends."""

import os
import signal

#: Linux: a signal of one's choice when the parent dies.
_SET_PARENT_DEATH_SIGNAL = 1


def end_with(parent: int) -> None:
    """No thread watches: with one, the processes of a build could not be forked."""
    import ctypes  # noqa: PLC0415  (a build by hand does without)

    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os.kill(os.getpid(), signal.SIGKILL)
