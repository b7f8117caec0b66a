"""The wake-up queue: arq on Redis. Losing it loses time, never a job."""

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

#: Seconds in which pushes of the same attempt count as one. arq refuses an id that it holds, and
#: it holds the id of a worker that died for days: so an id must not be the same for ever.
SAME_PUSH = 60

#: The arq function that carries out a job; its arguments are (job id, attempt).
RUN_JOB = "run_job"

#: Written to see whether Redis takes writes; it holds it for this many milliseconds.
READY, READY_FOR = "liftlock:ready", 1_000

#: Milliseconds that Redis keeps a message nobody takes; the job itself is in Postgres.
_KEEP = 86_400_000
#: Seconds for an answer of Redis.
_PATIENCE = 2.0
#: Wake-ups that wait for a worker; more would only be looked at in vain.
_MOST_WAKES = 64

# KEYS: message, queue, wake-ups, the claim on the message, another name for it. ARGV: milliseconds
# to keep it, message, its two ids, most wake-ups. One that a worker has claimed is no use to the
# others: that worker may be dead. It is due now by the clock of Redis, which all share.
_PUSH = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local key, id = KEYS[1], ARGV[3]
if redis.call('EXISTS', KEYS[4]) == 1 then key, id = KEYS[5], ARGV[4] end
if redis.call('EXISTS', key) == 0 then
  redis.call('PSETEX', key, ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], now, id)
end
redis.call('LPUSH', KEYS[3], '1')
redis.call('LTRIM', KEYS[3], 0, ARGV[5] - 1)
"""

log = structlog.get_logger()


def wake_key(queue: str) -> str:
    """The list that idle workers of the queue block on."""
    return f"{queue}:wake"


def serialize(value: dict[str, Any]) -> bytes:
    """JSON instead of arq's pickle: whoever can write to Redis must not be able to run code."""
    return json.dumps(value, default=str).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(data)
    return loaded


class JobQueue:
    """Says to a worker: look at this job. The job itself is in Postgres."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._push = redis.register_script(_PUSH)

    @classmethod
    def connect(cls, url: str) -> "JobQueue":
        """Connects at the first use, so that a process starts while Redis is away."""
        pool: Any = ConnectionPool.from_url(url, socket_connect_timeout=1, socket_timeout=2)
        redis = ArqRedis(pool, job_serializer=serialize, job_deserializer=deserialize)
        return cls(redis)

    async def push(self, job_id: UUID, attempt: int, *, again: bool = False) -> bool:
        """Wake a worker for that attempt; pushing twice is harmless. False: Redis was away.

        `again` asks for another look even while one is under way: something has changed since.
        """
        which = uuid4().hex if again else str(int(time.time()) // SAME_PUSH)
        name, other = f"{job_id}:{attempt}:{which}", f"{job_id}:{attempt}:{uuid4().hex}"
        queue, values = self._redis.default_queue_name, (str(job_id), attempt)
        call = serialize_job(RUN_JOB, values, {}, None, timestamp_ms(), serializer=serialize)
        keys = [job_key_prefix + name, queue, wake_key(queue)]
        keys += [in_progress_key_prefix + name, job_key_prefix + other]
        try:
            await _heard(self._push(keys, [_KEEP, call, name, other, _MOST_WAKES]))
        except (RedisError, OSError) as error:
            log.warning("queue.push_failed", job=str(job_id), reason=type(error).__name__)
            return False
        return True

    async def ping(self) -> bool:
        """Whether Redis answers, and can be written: a full one, or a replica, cannot."""
        try:
            await _heard(self._redis.set(READY, 1, px=READY_FOR))
        except (RedisError, OSError):
            return False
        return True

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)


async def _heard(answer: Awaitable[Any]) -> None:
    """Wait for it for some seconds, and heed a cancel that comes with it.

    redis-py waits with `asyncio.wait_for`, which in Python 3.11 loses such a one.
    """
    task = asyncio.current_task()
    async with asyncio.timeout(_PATIENCE):
        cancels = task.cancelling() if task is not None else 0
        await answer
        if task is not None and task.cancelling() > cancels:
            raise asyncio.CancelledError
