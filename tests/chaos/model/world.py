"""Two workers beside each other on real servers, driven from outside a running event loop."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from app import services
from app.domain.job import JobKind
from app.errors import LostOwnership
from app.gateways.locks import Locks
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.services.claiming import Blocked, Claim, Ended
from app.services.work import Work
from app.store.database import Database
from tests.chaos.model.rows import Rows
from tests.support import factories
from worker.jobs.locking import InLine, JobLocks

#: Nothing ends by itself while a test runs, however slow the machine is: rules end it.
LONG = timedelta(hours=1)

#: Host and its capacity; instance and its host.
HOSTS = {"alpha": 2, "beta": 1}
INSTANCES = {"shop": "alpha", "blog": "alpha", "wiki": "beta"}


@dataclass
class Worker:
    """What one worker process has of its own."""

    name: str
    db: Database
    queue: JobQueue
    redis: Redis
    locks: Locks


@dataclass
class Took:
    """How a try to take a job ended: a claim, or who was in the way, or neither."""

    locks: JobLocks
    claim: Claim | None = None
    blocked: Blocked | None = None
    ended: bool = False

    @property
    def in_line(self) -> bool:
        """Refused by Redis."""
        return isinstance(self.blocked, InLine)


class World:
    def __init__(self, url: str, redis_url: str, vault: Vault) -> None:
        self.vault = vault
        self._runner = asyncio.Runner()
        self.run(self._open(url, redis_url))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Its result. There is one event loop, and it runs only here."""
        return self._runner.run(work)

    async def _open(self, url: str, redis_url: str) -> None:
        self.rows = await Rows.connect(url)
        self.workers = []
        for name in ("w1", "w2"):
            redis = Redis.from_url(redis_url)
            locks = Locks(redis, ttl=LONG)
            db = Database(url, role=name, pool_size=2)
            self.workers.append(Worker(name, db, JobQueue.connect(redis_url), redis, locks))
        self.db, self.queue, self.redis = (
            self.workers[0].db,
            self.workers[0].queue,
            self.workers[0].redis,
        )
        recipe = await factories.add_recipe(self.db)
        hosts = {
            name: await factories.add_host(self.db, name=name, capacity=capacity)
            for name, capacity in HOSTS.items()
        }
        self.host_ids = {name: host.id for name, host in hosts.items()}
        self.instance_ids = {}
        for name, host in INSTANCES.items():
            made = await factories.add_instance(self.db, recipe=recipe, host=hosts[host], name=name)
            self.instance_ids[name] = made.id
        self._empty = await self.rows.read()

    async def reset(self) -> None:
        """As it was at first: hosts and instances, and no job."""
        await self.rows.put_back(self._empty)
        await self.redis.flushdb()

    async def ask(self, target: str, **values: Any) -> Any:
        """A job for an instance; for a host it is an enrolment."""
        named = {"instance": target} if target in INSTANCES else {"instance": None, "host": target}
        kind = JobKind.PROVISION if target in INSTANCES else JobKind.ENROLL
        view = await factories.request(
            self.db, self.queue, self.vault, kind=kind, **named, **values
        )
        return view.job

    async def take(self, worker: Worker, work: Work, attempt: int) -> Took:
        """Locks, claim, and the note who is in the way: as `worker.jobs.run_job` does it."""
        locks = JobLocks(worker.locks, worker.queue, work, attempt=attempt, worker=worker.name)
        took = Took(locks)
        try:
            await locks.acquire()
            took.claim = await services.claiming.claim(
                worker.db, work, attempt=attempt, worker=worker.name, lock_names=locks.names
            )
        except Blocked as blocked:
            took.blocked = blocked
            await locks.release(again=True)
            await _note(worker, work, attempt, blocked)
        except Ended as ended:
            took.ended = True
            await locks.release(also=ended.rivals)
        except LostOwnership:
            await locks.release()
        return took

    def close(self) -> None:
        self.run(self._close())
        self._runner.close()

    async def _close(self) -> None:
        for worker in self.workers:
            await worker.db.close()
            await worker.queue.close()
            await worker.redis.aclose()
        await self.rows.close()


async def _note(worker: Worker, work: Work, attempt: int, blocked: Blocked) -> None:
    try:
        await services.claiming.block(
            worker.db, work.job, attempt=attempt, blocked_by=blocked.blocked_by
        )
    except LostOwnership:
        return
