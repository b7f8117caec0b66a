"""The sweeper: every worker looks after jobs that crashes, lost pushes and waiting left behind."""

import asyncio

import structlog

from app import services
from app.domain.job import WaitPolicy
from app.errors import ServiceError
from worker.jobs.runtime import Runtime

#: Seconds between two looks.
EVERY = 2.0

log = structlog.get_logger()


async def sweep_forever(runtime: Runtime) -> None:
    """Runs beside the jobs until the worker stops; several workers may, rows are skipped locked."""
    while True:
        try:
            await sweep(runtime)
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
