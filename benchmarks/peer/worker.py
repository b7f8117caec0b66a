"""The peer's worker: plain arq 0.28, tuned as well as its settings allow."""

import asyncio
import os
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
from arq.connections import RedisSettings

from benchmarks.peer import writes
from benchmarks.servers import plain


async def startup(ctx: dict[str, Any]) -> None:
    url = plain(os.environ["LIFTLOCK_DATABASE_URL"])
    ctx["pool"] = await asyncpg.create_pool(url, min_size=8, max_size=12)


async def shutdown(ctx: dict[str, Any]) -> None:
    await ctx["pool"].close()


async def run_job(ctx: dict[str, Any], job_id: str, kind: str) -> None:
    del kind
    await writes.start(ctx["pool"], UUID(job_id))
    await writes.work(ctx["pool"], UUID(job_id))


async def sleep(ctx: dict[str, Any], path: str) -> None:
    """A long job, for a worker that is killed in the middle of it."""
    del ctx
    await asyncio.to_thread(Path(path).touch)
    await asyncio.sleep(60)


class WorkerSettings:
    functions: ClassVar = [run_job, sleep]
    redis_settings = RedisSettings.from_dsn(os.environ["LIFTLOCK_REDIS_URL"])
    on_startup = startup
    on_shutdown = shutdown
    poll_delay = 0.01
    max_jobs = 100
    keep_result = 0
