"""What one look for work costs a worker while a thousand jobs run elsewhere."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from arq.connections import ArqRedis
from arq.constants import default_queue_name, in_progress_key_prefix, job_key_prefix
from arq.utils import timestamp_ms
from arq.worker import Worker
from redis.asyncio import Redis

from app.gateways.claims import Claims
from benchmarks.rig import BARE, Rig
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import median

NAME = "poll"
RUNNING = 1000
_FREE_SLOTS = 10


async def measure(rig: Rig) -> list[Row]:
    client = await rig.redis()
    await _fill(client)
    arq = ArqRedis.from_url(rig.servers.redis_url(BARE))
    claims = Claims(arq, default_queue_name)
    worker = Worker([_nothing], redis_pool=arq, queue_read_limit=2 * RUNNING, handle_signals=False)
    try:
        return [
            Row(
                f"a worker's look with {RUNNING:,} running jobs",
                "ms",
                Better.LESS,
                await _cost(lambda: claims.take(_FREE_SLOTS), rig.few(100, 30)),
                5,
                peer=Figure(await _cost(worker._poll_iteration, rig.few(7, 3)), "arq"),  # noqa: SLF001
                limit=Figure(await _cost(lambda: _bare(client), rig.few(100, 30)), "redis"),
                note="arq with queue_read_limit 2,000: by default it sees 100 jobs, and starts"
                " nothing while those run. The limit reads the queue and all claims in one round"
                " trip.",
            )
        ]
    finally:
        await arq.aclose(close_connection_pool=True)
        await client.aclose()


async def _nothing(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:
    """A function that arq's worker may know."""


async def _fill(client: Redis) -> None:
    """A thousand messages, each claimed by another worker."""
    now = timestamp_ms()
    async with client.pipeline(transaction=False) as pipe:
        for name in _names():
            pipe.zadd(default_queue_name, {name: now})
            pipe.set(job_key_prefix + name, b"{}")
            pipe.set(in_progress_key_prefix + name, b"somebody", px=600_000)
        await pipe.execute()


async def _bare(client: Redis) -> None:
    async with client.pipeline(transaction=False) as pipe:
        pipe.zrangebyscore(default_queue_name, "-inf", timestamp_ms())
        pipe.mget([in_progress_key_prefix + name for name in _names()])
        await pipe.execute()


def _names() -> list[str]:
    return [f"job-{number}:1" for number in range(RUNNING)]


async def _cost(look: Callable[[], Awaitable[object]], times: int) -> float:
    """The median in milliseconds."""
    await look()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await look()
        took.append((time.perf_counter() - began) * 1000)
    return median(took)
