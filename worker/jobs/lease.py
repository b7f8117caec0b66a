"""Work under a lease: renewed while it lasts, stopped in time when it cannot be renewed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from app.domain.job import LeasePolicy
from app.errors import Unavailable
from worker.engine.stop import end

T = TypeVar("T")

#: The part of the lease after which nothing is begun any more: somebody may soon have the job.
_SAFE = 0.8
#: Seconds between two tries of a write while Postgres is away: the first pause and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class LeaseLost(Exception):
    """Postgres could not be told in time that this attempt lives: somebody else may take over."""


class Lease:
    """What this process knows of its attempt's lease, by its own clock."""

    def __init__(self, policy: LeasePolicy, *, since: float) -> None:
        """`since` is the monotonic time just before the lease was asked for."""
        self._policy = policy
        self.renewed(since)

    def renewed(self, since: float) -> None:
        self._until = since + self._policy.lease.total_seconds() * _SAFE

    @property
    def left(self) -> float:
        """Seconds in which this attempt may still work."""
        return self._until - time.monotonic()

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """The result of a write, tried again while Postgres is away; raises LeaseLost in the end.

        A write whose commit was cut off may be made twice.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                return await write()
            except Unavailable as error:
                if self.left <= pause:
                    raise LeaseLost(error.detail) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def insist_once(
        self, write: Callable[[], Awaitable[None]], *, made: Callable[[], Awaitable[bool]]
    ) -> None:
        """As `insist`; before it is tried again, `made` tells whether only the answer was lost."""
        tried = False

        async def once() -> None:
            nonlocal tried
            if tried and await made():
                return
            tried = True
            await write()

        await self.insist(once)

    async def keep(
        self,
        work: Coroutine[Any, Any, T],
        renew: Callable[[], Awaitable[None]],
        *,
        news: asyncio.Event,
    ) -> T:
        """The result of `work`, while `renew` is called in time and whenever there is `news`.

        When `renew` raises anything but Unavailable, the work is cancelled and that error raised;
        when the lease runs out, it is cancelled and LeaseLost raised.
        """
        task = asyncio.create_task(work)
        beat = asyncio.create_task(self._beat(renew, news))
        try:
            while not (task.done() or beat.done()):
                if self.left <= 0:
                    raise LeaseLost("The lease could not be renewed in time.")
                await asyncio.wait(
                    {task, beat}, timeout=self.left, return_when=asyncio.FIRST_COMPLETED
                )
            if not task.done():
                beat.result()
            return task.result()
        finally:
            await end(task)
            await end(beat)

    async def _beat(self, renew: Callable[[], Awaitable[None]], news: asyncio.Event) -> None:
        every = self._policy.renew_every.total_seconds()
        pause = every
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await news.wait()
            news.clear()
            since = time.monotonic()
            try:
                await renew()
            except Unavailable:
                pause = min(every, _LONGEST_PAUSE)
            else:
                self.renewed(since)
                pause = every
