"""The first look at a job that this worker was woken for."""

import asyncio
from uuid import UUID

import structlog

from app import services
from app.errors import Unavailable
from app.services.work import Work
from worker.jobs.locking import wake
from worker.jobs.runtime import Runtime

#: Seconds for the answer. While this worker holds the message, no other one looks at the job.
_PATIENCE = 2.0

log = structlog.get_logger()


async def look(runtime: Runtime, job_id: UUID) -> Work:
    """What the job needs; raises NotFound, Over, and Unavailable when Postgres is not quick."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await services.work.look(runtime.db, job_id)
    except TimeoutError as error:
        raise Unavailable(f"Postgres did not answer within {_PATIENCE:g} s.") from error


async def leave_to_others(runtime: Runtime, job_id: UUID, attempt: int) -> None:
    """Postgres may be away for this worker alone: it rests, and the others are woken."""
    log.warning("worker.resting", job=str(job_id))
    runtime.rest()
    await wake(runtime.queue, [(job_id, attempt)])
