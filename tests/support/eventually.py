"""Waiting for a condition, with an end."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], *, seconds: float = 15) -> None:
    """Return once the condition holds; fails when it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.02)
