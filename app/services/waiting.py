"""Waiting for something to become true: subscribe, look, and look again at every wake-up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.gateways.wakeups import Wakeups

T = TypeVar("T")


async def until(
    wakeups: Wakeups,
    topic: str,
    *,
    look: Callable[[], Awaitable[T]],
    enough: Callable[[T], bool],
    seconds: float,
) -> T:
    """What a look found: enough, or what there is when the time is over or the process stops.

    Subscribing comes first, so that nothing can happen between a look and the waiting.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    with wakeups.subscription(topic) as news:
        while True:
            news.clear()
            found = await look()
            if enough(found) or loop.time() >= end or wakeups.is_stopped:
                return found
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await news.wait()
