"""Locks on a real Redis, and jobs that ask for them."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from app.gateways.locks import Held, Locks, Refused

TTL = timedelta(seconds=15)


@dataclass
class Asker:
    """A job that asks for locks; what it holds is kept."""

    locks: Locks
    place: float = 1
    attempt: int = 1
    id: UUID = field(default_factory=uuid4)
    held: Held | None = None

    async def ask(self, *names: str, **note: object) -> Held | Refused:
        answer = await self.locks.try_acquire(
            names or ["a"], job=self.id, attempt=self.attempt, place=self.place, note=note
        )
        if isinstance(answer, Held):
            self.held = answer
        return answer

    async def has(self, *names: str) -> bool:
        return isinstance(await self.ask(*names), Held)

    async def end(self, *, again: bool = False) -> list[UUID]:
        """Release; who has the locks now."""
        assert self.held is not None
        return [waiter.job for waiter in await self.locks.release(self.held, again=again)]


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def locks(redis):
    return Locks(redis, ttl=TTL)


@pytest.fixture
def asker(locks):
    """Make a job; its place in line is the order in which they are made."""
    made = 0

    def make(**values):
        nonlocal made
        made += 1
        return Asker(locks, **{"place": made, **values})

    return make
