"""Bursts of many that want one lock: through Liftlock's pieces, and with redis-py's lock."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.lock import Lock

from app.gateways.claims import Claims
from app.gateways.locks import Held, Locks
from app.gateways.queue import JobQueue, wake_key

#: Seconds for which whoever has the lock keeps it.
HOLD = 0.001
NAME = "instance:shop"
NOTE = {"job_kind": "provision", "actor": "benchmark", "why": "provision of shop to v2"}
MILLISECONDS = 1000.0


@dataclass
class Contest:
    """Bursts of many that want one lock, each of them once."""

    #: Milliseconds from a release to the next one's acquire, and from asking to having it.
    hand_overs: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    #: Hand-overs to one that had asked later than another that waits.
    overtaken: int = 0
    _asked: dict[int, float] = field(default_factory=dict)
    _last: int = 0
    _released: float | None = None

    @property
    def is_served(self) -> bool:
        return not self._asked

    def ask(self) -> int:
        """The number of a new request."""
        self._released = None
        self._last += 1
        self._asked[self._last] = time.perf_counter()
        return self._last

    async def hold(self, number: int) -> None:
        """Call with the lock taken, and give it back right after."""
        now = time.perf_counter()
        if self._released is not None:
            self.hand_overs.append((now - self._released) * MILLISECONDS)
            self.overtaken += min(self._asked) < number
        await asyncio.sleep(HOLD)
        self.waits.append((now - self._asked.pop(number)) * MILLISECONDS)
        self._released = time.perf_counter()


class Ours:
    """The real pieces of a worker: try, stand in line, release, push, claim the message, try."""

    def __init__(self, url: str, contest: Contest) -> None:
        self._redis = ArqRedis(ConnectionPool.from_url(url))
        self._wake = wake_key(self._redis.default_queue_name)
        self._blpop: Any = self._redis.blpop
        self._lpush: Any = self._redis.lpush
        self._queue = JobQueue.connect(url)
        self._locks = Locks(self._redis, ttl=timedelta(seconds=15))
        self._claims = Claims(self._redis, self._redis.default_queue_name)
        self._contest = contest
        self._numbers: dict[UUID, int] = {}
        self._looks: set[asyncio.Task[None]] = set()

    async def burst(self, contenders: int) -> None:
        for job in [self._new() for _ in range(contenders)]:
            self._start(self._look(job))
        while not self._contest.is_served:
            for name, _ in await self._claims.take(contenders):
                self._start(self._message(name))
            await self._blpop([self._wake], timeout=1)
        await asyncio.gather(*self._looks)

    async def close(self) -> None:
        await self._queue.close()
        await self._redis.aclose(close_connection_pool=True)

    def _new(self) -> UUID:
        job = uuid4()
        self._numbers[job] = self._contest.ask()
        return job

    async def _message(self, name: str) -> None:
        await self._look(UUID(name.partition(":")[0]))
        await self._claims.end(name)

    async def _look(self, job: UUID) -> None:
        number = self._numbers[job]
        held = await self._locks.try_acquire(
            [NAME], job=job, attempt=1, place=float(number), note=NOTE
        )
        if not isinstance(held, Held):
            return
        await self._contest.hold(number)
        for waiter in await self._locks.release(held):
            await self._queue.push(waiter.job, waiter.attempt, again=True)
        if self._contest.is_served:
            await self._lpush(self._wake, "1")

    def _start(self, look: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(look)
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)


async def theirs(redis: Redis, contest: Contest, contenders: int) -> None:
    """A burst with redis-py's lock as it comes: a try each 0.1 s."""

    async def contend(number: int) -> None:
        async with Lock(redis, "peer", timeout=15):
            await contest.hold(number)

    numbers = [contest.ask() for _ in range(contenders)]
    await asyncio.gather(*(contend(number) for number in numbers))
