"""Composition root of the worker: `arq worker.main.WorkerSettings` starts it."""

import asyncio
import os
import socket
from datetime import timedelta
from typing import Any, ClassVar

import arq.worker
import structlog
from arq.connections import RedisSettings

from app.domain.asset_release import AssetPlace
from app.domain.job import LeasePolicy
from app.domain.provider_spec import read_providers
from app.gateways.locks import Locks
from app.gateways.queue import JobQueue, deserialize, serialize
from app.gateways.vault import Vault
from app.gateways.wakeups import Wakeups
from app.logs import configure_logging
from app.settings import Settings
from app.store.database import Database
from worker.consumer import Consumer
from worker.jobs.run_job import run_job
from worker.jobs.runtime import Runtime
from worker.jobs.sweep import sweep_forever
from worker.remote.hosts import Pool

settings = Settings()
log = structlog.get_logger()

# arq's command line makes its own class by this name; there is no setting for another one.
arq.worker.Worker = Consumer  # type: ignore[misc]


#: Seconds for what always runs to notice that the worker ends.
_END = 5.0


async def startup(ctx: dict[str, Any]) -> None:
    configure_logging(settings.log_level, as_json=settings.log_json)
    wakeups = Wakeups(ctx["redis"])
    url = settings.database_url.get_secret_value()
    runtime = Runtime(
        db=Database(url, role="worker", announce=wakeups.announce),
        queue=JobQueue(ctx["redis"]),
        locks=Locks(ctx["redis"], ttl=LeasePolicy().lease),
        vault=Vault(settings.key()),
        wakeups=wakeups,
        pool=Pool(),
        name=f"{socket.gethostname()}:{os.getpid()}",
        draining=ctx["draining"].is_set,
        rest=ctx["rest"],
        most_running=settings.max_running,
        events_kept=timedelta(days=settings.events_kept_days),
        look_every=timedelta(seconds=settings.router_look_seconds) or None,
        extension_look_every=timedelta(seconds=settings.extension_look_seconds) or None,
        asset_place=_asset_place(),
        assets_cache=settings.assets_folder(),
        providers=read_providers(settings.providers),
        health_gate=not settings.test_skip_health_gate,
    )
    if not runtime.health_gate:
        log.warning(
            "health_gate.off",
            setting="LIFTLOCK_TEST_SKIP_HEALTH_GATE",
            danger="requests are passed on to app servers that nobody has asked; for tests only",
        )
    ctx["runtime"] = runtime
    ctx["sweeper"] = asyncio.create_task(sweep_forever(runtime))
    ctx["listener"] = asyncio.create_task(wakeups.run())


def _asset_place() -> AssetPlace | None:
    place = settings.assets_place()
    return AssetPlace(*place) if place else None


async def shutdown(ctx: dict[str, Any]) -> None:
    always = {ctx["sweeper"], ctx["listener"]}
    for task in always:
        task.cancel()
    # Bounded: redis-py can lose a cancellation.
    await asyncio.wait(always, timeout=_END)
    await ctx["runtime"].wakeups.finish()
    await ctx["runtime"].pool.aclose()
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
    #: Seconds between two looks without a wake-up; a push wakes at once.
    poll_delay = 2
    #: `arq --check` asks for this; a key of its own for each machine.
    health_check_interval = 10
    health_check_key = f"arq:health:{socket.gethostname()}"
    job_serializer = staticmethod(serialize)
    job_deserializer = staticmethod(deserialize)
