"""The wake-up queue: arq on Redis. Losing it loses time, never a job."""

import json
import time
from typing import Any
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

#: Seconds in which pushes of the same attempt count as one. arq refuses an id that it holds, and
#: it holds the id of a worker that died for days: so an id must not be the same for ever.
SAME_PUSH = 60

#: The arq function that carries out a job; its arguments are (job id, attempt).
RUN_JOB = "run_job"

log = structlog.get_logger()


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

    @classmethod
    def connect(cls, url: str) -> "JobQueue":
        """Connects at the first use, so that a process starts while Redis is away."""
        pool: Any = ConnectionPool.from_url(url, socket_connect_timeout=1, socket_timeout=2)
        redis = ArqRedis(pool, job_serializer=serialize, job_deserializer=deserialize)
        return cls(redis)

    async def push(self, job_id: UUID, attempt: int) -> bool:
        """Wake a worker for that attempt; pushing twice is harmless. False: Redis was away."""
        name = f"{job_id}:{attempt}:{int(time.time()) // SAME_PUSH}"
        try:
            await self._redis.enqueue_job(RUN_JOB, str(job_id), attempt, _job_id=name)
        except (RedisError, OSError) as error:
            log.warning("queue.push_failed", job=str(job_id), reason=type(error).__name__)
            return False
        return True

    async def ping(self) -> bool:
        """Whether Redis answers."""
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            return False
        return True

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)
