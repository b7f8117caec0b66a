"""Work under a lease: renewed while it lasts, stopped at once when it is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")


async def work_while(
    work: Coroutine[Any, Any, T], renew: Callable[[], Awaitable[None]], *, every: timedelta
) -> T:
    """The result of `work`; when `renew` raises, the work is cancelled and that error raised."""
    task = asyncio.create_task(work)
    beat = asyncio.create_task(_beat(renew, every))
    try:
        await asyncio.wait({task, beat}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await _stop(task)
            beat.result()
        return task.result()
    finally:
        await _stop(task)
        await _stop(beat)


async def _beat(renew: Callable[[], Awaitable[None]], every: timedelta) -> None:
    while True:
        await asyncio.sleep(every.total_seconds())
        await renew()


async def _stop(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait({task})
