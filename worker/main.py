"""Composition root of the worker: `arq worker.main.WorkerSettings` starts it."""

import asyncio
import contextlib
import os
import socket
from datetime import timedelta
from typing import Any, ClassVar

from arq.connections import RedisSettings

from app.domain.job import LeasePolicy
from app.gateways.locks import Locks
from app.gateways.queue import JobQueue, deserialize, serialize
from app.gateways.vault import Vault
from app.logs import configure_logging
from app.settings import Settings
from app.store.database import Database
from worker.jobs.run_job import run_job
from worker.jobs.runtime import Runtime
from worker.jobs.sweep import sweep_forever

settings = Settings()


async def startup(ctx: dict[str, Any]) -> None:
    configure_logging(settings.log_level, as_json=settings.log_json)
    runtime = Runtime(
        db=Database(settings.database_url.get_secret_value(), role="worker"),
        queue=JobQueue(ctx["redis"]),
        locks=Locks(ctx["redis"], ttl=LeasePolicy().lease),
        vault=Vault(settings.key()),
        name=f"{socket.gethostname()}:{os.getpid()}",
    )
    ctx["runtime"] = runtime
    ctx["sweeper"] = asyncio.create_task(sweep_forever(runtime))


async def shutdown(ctx: dict[str, Any]) -> None:
    ctx["sweeper"].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ctx["sweeper"]
    await ctx["runtime"].db.close()


class WorkerSettings:
    functions: ClassVar = [run_job]
    redis_settings = RedisSettings.from_dsn(settings.redis_url.get_secret_value())
    on_startup = startup
    on_shutdown = shutdown
    max_jobs = settings.worker_slots
    #: Postgres owns attempts and deadlines; arq only wakes.
    max_tries = 1
    keep_result = 0
    #: Far beyond any job: arq must neither end one nor start it a second time.
    job_timeout = timedelta(days=7)
    poll_delay = 0.1
    #: `arq --check` asks for this; a key of its own for each machine.
    health_check_interval = 10
    health_check_key = f"arq:health:{socket.gethostname()}"
    job_serializer = staticmethod(serialize)
    job_deserializer = staticmethod(deserialize)
