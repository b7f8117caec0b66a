"""arq's worker with another engine: claims in one round trip, woken at once, never killed by Redis.

It keeps arq's names, settings and command line. What is different, and why (arq 0.28):

- arq asks Redis four times for every job that runs anywhere, and sees at most `queue_read_limit`
  of them; here one script claims what fits into the free slots.
- arq polls; here a push wakes one worker through a list, and the poll is only the fallback.
- arq holds a dead worker's job for its whole time limit; here the claim is a lease, renewed.
- arq ends on any Redis error; here Postgres is the truth, so work goes on and Redis is awaited.
- arq cancels its jobs on SIGTERM; here it drains, and a second signal hands over at once.
"""

import asyncio
import contextlib
import inspect
import signal
from collections.abc import Coroutine
from typing import Any

import structlog
import uvloop
from arq.connections import create_pool
from arq.jobs import SerializationError, deserialize_job_raw
from arq.worker import Function, Worker
from redis.exceptions import RedisError

from app.gateways.claims import Claims
from app.gateways.queue import wake_key

#: Seconds between two renewals, and between two looks without a wake-up.
RENEW_EVERY = 5.0
LOOK_EVERY = 2
#: Seconds in which a worker takes nothing after it asked to rest.
REST = 3.0
#: Seconds for the work to reach a boundary after a signal, before it is handed over.
DRAIN = 20.0
#: Seconds for an answer of Redis, and for one that a worker waits for while it ends.
PATIENCE, HASTE = LOOK_EVERY + 1.0, 1.0

log = structlog.get_logger()


class Consumer(Worker):
    """See the module. `ctx["draining"]` is an event that is set by the first signal; `ctx["rest"]`
    leaves what comes in the next seconds to other workers.
    """

    #: arq reads it to learn which settings there are.
    __signature__ = inspect.signature(Worker)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _bring_a_fast_loop()
        super().__init__(*args, **kwargs)
        if not self.job_timeout_s:
            raise ValueError("job_timeout must be a number: without one arq runs jobs twice.")
        self._claims: Claims
        self._kick = asyncio.Event()
        self._signals = 0
        self._rests_until = 0.0
        #: redis-py can lose a cancellation: the loops look here too.
        self._is_over = False
        self.draining = asyncio.Event()
        self.ctx |= {"draining": self.draining, "rest": self._rest}

    async def main(self) -> None:
        """Claim and carry out until a signal; in burst mode until the queue is empty."""
        await self._connected()
        if self._pool is None:
            return
        self._claims = Claims(self.pool, self.queue_name)
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        loops = [asyncio.create_task(loop) for loop in (self._wake(), self._renew())]
        try:
            while self.allow_pick_jobs:
                self._kick.clear()
                await self._safely(self._poll_iteration())
                if self.burst and await self._is_idle():
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._kick.wait(), self.poll_delay_s)
            await self._drained()
        finally:
            self._is_over = True
            for task in loops:
                task.cancel()
            await asyncio.wait(loops, timeout=HASTE)

    async def _poll_iteration(self) -> None:
        free = self.max_jobs - len(self.tasks)
        if free > 0 and not self._resting():
            for job_id, message in await self._claims.take(free):
                # After a pause longer than the claim, what runs here looks like a dead worker's.
                if job_id not in self.tasks:
                    self._start(job_id, message)
        await self.heart_beat()

    def _start(self, job_id: str, message: bytes | None) -> None:
        task = self.loop.create_task(self._work(job_id, message))
        self.tasks[job_id] = task
        task.add_done_callback(lambda _: self._ended(job_id))

    def _ended(self, job_id: str) -> None:
        task = self.tasks.pop(job_id)
        if not task.cancelled() and task.exception() is not None:
            log.error("job.crashed", job=job_id, exc_info=task.exception())
        self._kick.set()

    async def _work(self, job_id: str, message: bytes | None) -> None:
        """Call the function; whatever it does, the message is done with: Postgres has the job."""
        call = self._call(job_id, message) if message else None
        try:
            if call is not None:
                async with asyncio.timeout(self.job_timeout_s):
                    await call
                self.jobs_complete += 1
        except BaseException:
            self.jobs_failed += 1
            raise
        finally:
            await asyncio.shield(self._safely(self._claims.end(job_id)))

    def _call(self, job_id: str, message: bytes) -> Coroutine[Any, Any, Any] | None:
        try:
            name, args, kwargs, _, _ = deserialize_job_raw(
                message, deserializer=self.job_deserializer
            )
        except SerializationError:
            log.exception("message.unreadable", job=job_id)
            return None
        function = self.functions.get(name)
        if not isinstance(function, Function):
            log.error("message.unknown", job=job_id, function=name)
            return None
        return function.coroutine({**self.ctx, "job_id": job_id}, *args, **kwargs)

    async def _wake(self) -> None:
        """A push wakes one worker; without one, look every few seconds."""
        while not self._is_over:
            if pause := self._resting():
                await asyncio.sleep(pause)  # a wake-up that it heard would not reach another one
            else:
                await self._safely(self.pool.blpop([wake_key(self.queue_name)], timeout=LOOK_EVERY))
            self._kick.set()

    async def _renew(self) -> None:
        while not self._is_over:
            await asyncio.sleep(RENEW_EVERY)
            await self._safely(self._claims.renew(list(self.tasks)))

    def _rest(self) -> None:
        self._rests_until = self.loop.time() + REST

    def _resting(self) -> float:
        """Seconds that are left of it."""
        return max(0.0, self._rests_until - self.loop.time())

    async def _safely(self, asked: Any) -> Any:
        """The answer, or None while Redis is away or hangs: a job never depends on it."""
        try:
            async with asyncio.timeout(PATIENCE if self.allow_pick_jobs else HASTE):
                return await asked
        except (RedisError, OSError) as error:
            log.warning("redis.away", reason=str(error) or type(error).__name__)
            await asyncio.sleep(0.2)
            return None

    async def _connected(self) -> None:
        while self._pool is None and self.allow_pick_jobs:
            pool = create_pool(
                self.redis_settings,
                job_serializer=self.job_serializer,
                job_deserializer=self.job_deserializer,
                default_queue_name=self.queue_name,
            )
            self._pool = await self._safely(pool)

    async def close(self) -> None:
        """Shut down, also while Redis is away."""
        if self._pool is None:
            return
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        await self._safely(self.pool.delete(self.health_check_key))
        await self._safely(self.pool.aclose(close_connection_pool=True))
        self._pool = None

    async def _is_idle(self) -> bool:
        return not self.tasks and await self._safely(self.pool.zcard(self.queue_name)) == 0

    def handle_sig(self, signum: signal.Signals) -> None:
        """First: claim nothing more and let the work reach a boundary. Again: hand over at once."""
        self._signals += 1
        log.info("worker.draining", signal=signal.Signals(signum).name, running=len(self.tasks))
        self.allow_pick_jobs = False
        self.draining.set()
        self._kick.set()
        if self._signals > 1:
            self._cancel()

    async def _drained(self) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=DRAIN)
        self._cancel()
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=DRAIN)

    def _cancel(self) -> None:
        for task in self.tasks.values():
            task.cancel()


def _bring_a_fast_loop() -> None:
    """The loop that arq will take: that of the API's server, unless one is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.set_event_loop(uvloop.new_event_loop())
