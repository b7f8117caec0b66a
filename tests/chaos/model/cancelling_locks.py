"""The same table for the locks in Redis; who waits behind a lock is to be told of it."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Literal
from uuid import UUID

from redis.asyncio import Redis

from app.domain.job import JobKind
from app.gateways.locks import Held, Locks
from app.gateways.queue import JobQueue
from app.models import Job
from app.services.work import Work
from worker.jobs.locking import JobLocks, leave

#: The instance of both jobs, and their ids.
SITE, OURS, OTHER = (UUID(int=number) for number in (1, 2, 3))
NAMES = ("a", "b")
_LONG = timedelta(minutes=10)


@dataclass
class LockScene:
    redis: Redis
    queue: JobQueue
    made: SimpleNamespace = field(default_factory=SimpleNamespace)

    @property
    def locks(self) -> Locks:
        return Locks(self.redis, ttl=_LONG)

    async def ask(self, job: UUID, *, attempt: int = 1, names: tuple[str, ...] = NAMES) -> Any:
        """Older jobs go first, as their ids say."""
        return await self.locks.try_acquire(
            names, job=job, attempt=attempt, place=float(int(job)), note={}
        )

    def of_job(self, job: UUID) -> JobLocks:
        row = Job(id=job, kind=JobKind.PROVISION, instance_id=SITE, sequence=int(job))
        work = Work(row, SimpleNamespace(name="alpha"), ())
        return JobLocks(self.locks, self.queue, work, attempt=1, worker="w1")


@dataclass(frozen=True)
class LockDeed:
    name: str
    given: Callable[[LockScene], Awaitable[None]]
    do: Callable[[LockScene], Coroutine[Any, Any, Any]]
    #: What a cancelled one leaves: the locks as they were, or all of it done.
    leaves: Literal["nothing", "all"]


async def free(scene: LockScene) -> None:
    """Nobody has or wants them."""


async def held(scene: LockScene) -> None:
    scene.made.held = await scene.ask(OURS)
    assert isinstance(scene.made.held, Held)


async def held_by_an_old_attempt(scene: LockScene) -> None:
    await held(scene)


async def held_and_wanted(scene: LockScene) -> None:
    await held(scene)
    await scene.ask(OTHER)


async def held_by_another(scene: LockScene) -> None:
    await scene.ask(OTHER)


async def in_line_before_another(scene: LockScene) -> None:
    """Ours is the head of one line, and in the way of the other job there."""
    first = await scene.ask(UUID(int=9), names=("b",))
    assert isinstance(first, Held)
    await scene.ask(OURS)
    await scene.ask(OTHER, names=("a",))


async def job_holds(scene: LockScene) -> None:
    scene.made.locks = scene.of_job(OURS)
    await scene.made.locks.acquire()


async def job_holds_and_other_waits(scene: LockScene) -> None:
    await job_holds(scene)
    await scene.ask(OTHER, names=scene.made.locks.names)


def _leave_job(scene: LockScene) -> Coroutine[Any, Any, Any]:
    job = Job(id=OURS, kind=JobKind.PROVISION, instance_id=SITE, sequence=1)
    return leave(scene.locks, scene.queue, job)


LOCK_DEEDS = (
    LockDeed("try to acquire", free, lambda scene: scene.ask(OURS), "nothing"),
    LockDeed(
        "take over", held_by_an_old_attempt, lambda scene: scene.ask(OURS, attempt=2), "nothing"
    ),
    LockDeed("be refused", held_by_another, lambda scene: scene.ask(OURS), "nothing"),
    LockDeed("renew", held, lambda scene: scene.locks.renew(scene.made.held), "nothing"),
    LockDeed("release", held, lambda scene: scene.locks.release(scene.made.held), "all"),
    LockDeed("release to another", held_and_wanted, lambda s: s.locks.release(s.made.held), "all"),
    LockDeed("leave", in_line_before_another, lambda s: s.locks.leave(NAMES, job=OURS), "all"),
    LockDeed("acquire for a job", free, lambda scene: scene.of_job(OURS).acquire(), "nothing"),
    LockDeed("release of a job", job_holds, lambda scene: scene.made.locks.release(), "all"),
    LockDeed(
        "release of a job to another",
        job_holds_and_other_waits,
        lambda scene: scene.made.locks.release(),
        "all",
    ),
    LockDeed("leave of a job", in_line_before_another, _leave_job, "all"),
)


async def shown(redis: Redis) -> dict[str, Any]:
    """Who holds which lock, who is in line where, and whom messages of the queue wake."""
    locks = {}
    for key in sorted(await redis.keys("lock:held:*")):
        job, owner = await redis.hmget(key, "job", "owner")
        locks[key.decode()] = job.decode(), "held" if owner else "handed over"
    lines = {}
    for key in sorted(await redis.keys("lock:line:*")):
        lines[key.decode()] = [name.decode() for name in await redis.zrange(key, 0, -1)]
    woken = {key.decode().split(":")[2] for key in await redis.keys("arq:job:*")}
    return {"locks": locks, "lines": lines, "woken": sorted(woken)}
