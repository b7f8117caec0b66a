"""Durable jobs per second of one worker process: claim, lock, five events, settle; real rows."""

import asyncio
import time
from collections.abc import Iterator
from uuid import UUID

import asyncpg
from arq import create_pool
from arq.connections import RedisSettings

from benchmarks import orders, plans
from benchmarks.load import press
from benchmarks.peer import writes
from benchmarks.rig import PEER, Api, Rig
from benchmarks.row import Better, Figure, Row

NAME = "jobs"
#: Jobs side by side in the one worker process.
SLOTS = 20
_HOSTS = 200
#: Seconds after which it is counted how far a slow worker came.
_LONGEST = 12.0

_ENDED = "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL"
_RATE = """
    SELECT count(*) / extract(epoch FROM max(finished_at) - min(started_at))::float8 AS rate,
           count(*) FILTER (WHERE status <> 'succeeded') AS failed
    FROM jobs WHERE finished_at IS NOT NULL
"""


async def measure(rig: Rig) -> list[Row]:
    count = rig.few(2000, 400)
    ours = await _liftlock(rig, count)
    theirs = await _peer(rig, count)
    return [
        Row(
            "durable jobs, one worker process",
            "/s",
            Better.MORE,
            ours,
            500,
            peer=Figure(theirs, "arq"),
            limit=Figure(await _bare(rig, count), "asyncpg"),
            note=f"One job row and five events each. Liftlock with {SLOTS} slots also locks, fences"
            " and keeps plan and step. arq with poll_delay 0.01, max_jobs 100; the limit is the"
            f" peer's statements in {SLOTS} coroutines.",
        )
    ]


async def _liftlock(rig: Rig, count: int) -> float:
    async with rig.liftlock() as api:
        hosts = await orders.add_hosts(api, min(_HOSTS, count))
        made = await press(api.address, orders.enrolments(api.address, hosts), count=count)
        if made.failed:
            raise RuntimeError(f"{made.failed} of {count} jobs were refused.")
        env = {"LIFTLOCK_WORKER_SLOTS": str(SLOTS), plans.CHOICE: plans.NOTHING}
        async with api.worker(plans.WORKER, **env):
            return await _rate(api, count)


async def _peer(rig: Rig, count: int) -> float:
    async with rig.peer() as api:
        ids = writes.new_ids(count)
        async with api.rows() as rows:
            await writes.add(rows, ids)
        queue = await create_pool(RedisSettings.from_dsn(rig.servers.redis_url(PEER)))
        for job_id in ids:
            await queue.enqueue_job("run_job", str(job_id), "enroll")
        await queue.aclose()
        async with api.worker("benchmarks.peer.worker.WorkerSettings"):
            return await _rate(api, count)


async def _rate(api: Api, count: int) -> float:
    """From the first job's start to the last one's end, by the clock of the database."""
    async with api.rows() as rows:
        end: float | None = None
        while (ended := await rows.fetchval(_ENDED)) < count:
            end = end or (time.monotonic() + _LONGEST if ended else None)
            if end and time.monotonic() > end:
                break
            await asyncio.sleep(0.2)
        found = await rows.fetchrow(_RATE)
    if found["failed"]:
        raise RuntimeError(f"{found['failed']} jobs did not succeed.")
    return float(found["rate"])


async def _bare(rig: Rig, count: int) -> float:
    ids = writes.new_ids(count)
    async with rig.bare_pool(SLOTS) as pool:
        await pool.execute(writes.TABLES)
        await writes.add(pool, ids)
        waiting = iter(ids)
        began = time.perf_counter()
        await asyncio.gather(*(_work(pool, waiting) for _ in range(SLOTS)))
        return count / (time.perf_counter() - began)


async def _work(pool: asyncpg.Pool, waiting: Iterator[UUID]) -> None:
    async with pool.acquire() as connection:
        for job_id in waiting:
            await writes.start(connection, job_id)
            await writes.work(connection, job_id)
