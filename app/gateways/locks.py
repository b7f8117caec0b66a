"""Locks in Redis: several names at once or none, first come first served, handed on at their end.

They keep jobs apart in health. They are not the proof: that is the attempt number in Postgres.
"""

import asyncio
import json
import os
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Any, TypeVar
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

T = TypeVar("T")

#: Milliseconds for which a job stands in line after each try: a dead one is in nobody's way then.
TICKET = 15_000
#: Milliseconds in which a job has to take a lock that was handed to it.
GRACE = 5_000
#: Seconds for an answer of Redis.
_PATIENCE = 2.0

_SCRIPT = (resources.files("app.gateways") / "locks.lua").read_text("ascii")


class LocksUnavailable(Exception):
    """Redis does not answer, so nothing is known about any lock."""


class LockLost(Exception):
    """A lock is not ours any more: the work under it must stop."""


@dataclass(frozen=True)
class Waiter:
    """A job that a lock was handed to; it has to be told."""

    job: UUID
    attempt: int


@dataclass(frozen=True)
class Held:
    """Locks that one attempt of a job holds."""

    names: tuple[str, ...]
    #: A nonce: two that hold for the same attempt are two.
    owner: str


@dataclass(frozen=True)
class Refused:
    """Who is in the way, by that job's own note."""

    holder: Mapping[str, Any]
    #: The place in the line, from 1. 0: this very attempt has the locks already, by another call.
    position: int
    #: It does not hold the lock either, but goes first.
    waits: bool = False


class Locks:
    """Every call is over within seconds, also when Redis hangs."""

    def __init__(self, redis: Redis, *, ttl: timedelta) -> None:
        self._ttl_ms = int(ttl / timedelta(milliseconds=1))
        self._script = redis.register_script(_SCRIPT)
        #: Tries without an answer: Redis may carry them out yet.
        self._unknown: set[Held] = set()

    async def try_acquire(
        self,
        names: Sequence[str],
        *,
        job: UUID,
        attempt: int,
        place: float,
        note: Mapping[str, Any],
    ) -> Held | Refused:
        """All of them or none, without waiting; raises LocksUnavailable.

        Whoever is refused stands in the line of each name until its ticket ends; every try renews
        it. A lower `place` goes first. What an earlier attempt of the same job left is taken over.
        """
        held = Held(tuple(sorted(names)), os.urandom(12).hex())
        told = _json({**note, "job": str(job), "attempt": attempt})
        values = self._ttl_ms, TICKET, held.owner, str(job), attempt, place, told
        await self._undo_unknown()
        try:
            answer = await to_its_end(self._ask("acquire", *values, *held.names))
        except BaseException:
            # Nobody will ever know whether it was taken: so it is not.
            self._unknown.add(held)
            with suppress(LocksUnavailable):
                await to_its_end(self._undo_unknown())
            raise
        if answer == 0:
            return held
        found, position, how = answer
        return Refused(json.loads(found), 0 if how == b"self" else position, waits=how == b"waits")

    async def renew(self, held: Held, *, note: Mapping[str, Any] | None = None) -> None:
        """Keep them; a note replaces the old one. Raises LockLost when one expired or was taken,
        and LocksUnavailable.
        """
        told = "" if note is None else _json(note)
        if not await self._ask("renew", self._ttl_ms, held.owner, told, *held.names):
            raise LockLost(", ".join(held.names))

    async def release(self, held: Held, *, again: bool = False) -> list[Waiter]:
        """Give back what is still ours; the jobs that it was handed to, to be told.

        It is done also when this is cancelled. What Redis cannot be told expires by itself.
        `again`: it was not the job's turn. Only those whose turn is earlier get them, and the job
        itself when it was asked for meanwhile.
        """
        how = "again" if again else "end"
        return await to_its_end(self._hand_over("release", GRACE, held.owner, how, *held.names))

    async def leave(self, names: Sequence[str], *, job: UUID) -> list[Waiter]:
        """A job that has ended waits no longer; the jobs that have their turn now, to be told."""
        return await to_its_end(self._hand_over("leave", GRACE, str(job), *sorted(names)))

    async def _undo_unknown(self) -> None:
        """While Redis hangs this raises LocksUnavailable, and nothing more is asked of it."""
        for held in list(self._unknown):
            await self._ask("release", GRACE, held.owner, "undo", *held.names)
            self._unknown.discard(held)

    async def _hand_over(self, what: str, *values: str | float) -> list[Waiter]:
        """Whom locks were handed to; nobody when Redis is away."""
        try:
            told = await self._ask(what, *values)
        except LocksUnavailable:
            return []
        pairs = zip(told[::2], told[1::2], strict=True)
        return [Waiter(UUID(job.decode()), int(attempt)) for job, attempt in pairs]

    async def _ask(self, what: str, *values: str | float) -> Any:
        """The answer of Redis; raises LocksUnavailable, also when it takes too long."""
        task = asyncio.ensure_future(self._script(args=[what, *values]))
        try:
            await asyncio.wait({task}, timeout=_PATIENCE)
            if not task.done():
                raise LocksUnavailable(f"Redis gave no answer within {_PATIENCE:g} s.")
            return task.result()
        except (RedisError, OSError) as error:
            raise LocksUnavailable(str(error) or type(error).__name__) from error
        finally:
            if not task.done():
                task.add_done_callback(_look_at)
                task.cancel()
                # Bounded: redis-py can lose a cancellation.
                await asyncio.wait({task}, timeout=_PATIENCE)


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that is not stopped half-way: a cancellation is raised behind it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        _look_at(task)
        raise cancelled
    return task.result()


def _look_at(task: "asyncio.Future[Any]") -> None:
    """Or what it raised would be logged as never looked at."""
    if not task.cancelled():
        task.exception()


def _json(note: Mapping[str, Any]) -> str:
    return json.dumps(dict(note), default=str)
