"""The order to stop, as the run of a plan learns of it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from app.domain.job import Ending

T = TypeVar("T")


class Stopped(Exception):
    """An order to stop came before the work was done."""


class Stop:
    """One for each attempt: whoever reads the order gives it, the engine heeds it."""

    def __init__(self, ending: Ending | None = None) -> None:
        self.ending: Ending | None = None
        self._told, self._forced = asyncio.Event(), asyncio.Event()
        self.order(ending)

    def order(self, ending: Ending | None) -> None:
        """Take note of what the job's row says; None changes nothing."""
        if ending is not None:
            self.ending = ending
            self._told.set()
            if ending.force:
                self._forced.set()

    async def within(
        self,
        work: Coroutine[Any, Any, T],
        *,
        finish: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """The result of the work; Stopped when an order comes first, the work being cancelled.

        With `finish` the work goes on after an order, which that is told; only a forced order
        stops it then.
        """
        task = asyncio.ensure_future(work)
        try:
            if not await _sooner(task, self._told) and finish is not None:
                await finish()
                await _sooner(task, self._forced)
            if not task.done():
                raise Stopped
            return task.result()
        finally:
            await end(task)

    async def pause(self, seconds: float) -> None:
        """Sleep; raises Stopped as soon as there is an order."""
        await self.within(asyncio.sleep(seconds))


async def _sooner(task: "asyncio.Future[Any]", event: asyncio.Event) -> bool:
    """Wait for both; whether the task was done first."""
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(waiter)
    return task.done()


async def end(task: "asyncio.Future[Any]") -> None:
    """Cancel the task unless it is done, and wait until it is; what it raised is let go."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # or it would be logged as never looked at
