"""The sweeper: every worker looks after jobs that crashes, lost pushes and waiting left behind."""

import asyncio

import structlog

from app import services
from app.domain.job import WaitPolicy
from app.errors import ServiceError
from worker.jobs.runtime import Runtime

#: Seconds between two looks.
EVERY = 2.0
#: Seconds between two times of housekeeping, and after one that something was in the way of.
TIDY_EVERY, TIDY_AGAIN = 3600.0, 60.0

log = structlog.get_logger()


async def sweep_forever(runtime: Runtime) -> None:
    """Runs beside the jobs until the worker stops; several workers may, rows are skipped locked."""
    loop = asyncio.get_running_loop()
    tidy_at = loop.time()
    while True:
        try:
            await sweep(runtime)
            if loop.time() >= tidy_at:
                tidy_at = loop.time() + TIDY_AGAIN
                await tidy(runtime)
                tidy_at = loop.time() + TIDY_EVERY
        except ServiceError as error:
            log.warning("sweep.failed", reason=error.detail)
        except Exception:
            log.exception("sweep.crashed")
        await asyncio.sleep(EVERY)


async def sweep(runtime: Runtime, policy: WaitPolicy | None = None) -> None:
    policy = policy or WaitPolicy()
    for job_id in await services.recovery.recover(runtime.db, policy=policy):
        log.info("job.recovered", job=str(job_id))
    await services.recovery.dispatch(runtime.db, runtime.queue, policy=policy)


async def tidy(runtime: Runtime) -> None:
    """The housekeeping of the tables, and a line about what it did."""
    done = await services.housekeeping.tidy(runtime.db, events_kept=runtime.events_kept)
    if done.in_rest:
        log.warning("events.month_missed", months=done.in_rest)
    told = {"made": done.made, "dropped": done.dropped}
    if any(told.values()) or done.events or done.answers:
        log.info("database.tidied", **told, events=done.events, answers=done.answers)
