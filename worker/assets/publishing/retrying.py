"""A call to a store: tried again when it failed in passing, explained when it failed for good."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.fault import Fault, fault_of

T = TypeVar("T")

TRIES = 5
_GROWTH = 2


async def attempt(call: Callable[[], Awaitable[T]], *, deed: str, key: str, pause: float) -> T:
    """What the call returns, at the latest from its fifth try.

    Between two tries it waits: `pause` seconds at first, each time twice as long, and a bit more
    or less so that many callers do not come back at once. FileNotFoundError and
    AlreadyExistsError are answers and pass through. Raises AssetError.
    """
    for number in range(1, TRIES + 1):
        try:
            return await call()
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                raise
            if number == TRIES or not fault.is_passing:
                raise _refused(fault, deed=deed, key=key, tries=number) from error
        await rest(pause, number)
    raise AssertionError("the last try returns or raises")


async def rest(pause: float, number: int) -> None:
    """After that try, counted from 1."""
    await asyncio.sleep(pause * _GROWTH ** (number - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


def _refused(fault: Fault, *, deed: str, key: str, tries: int) -> AssetError:
    tried = "once" if tries == 1 else f"{tries} times"
    message = f"{deed} failed (tried {tried}): {fault.said}"
    return AssetError([Problem(fault.problem, message, file=key or None)], fault.hint)
