"""The sweeper: every worker looks after jobs that crashes, lost pushes and waiting left behind."""

import asyncio
from collections.abc import Awaitable

import structlog

from app import services
from app.domain.job import WaitPolicy
from app.errors import ServiceError
from worker.jobs.runtime import Runtime
from worker.jobs.sweeping_extensions import sweep_extensions
from worker.jobs.sweeping_machines import sweep_machines
from worker.jobs.sweeping_routers import sweep_routers

#: Seconds between two looks.
EVERY = 2.0
#: Seconds between two times of housekeeping, and after one that something was in the way of.
TIDY_EVERY, TIDY_AGAIN = 3600.0, 60.0

log = structlog.get_logger()


async def sweep_forever(runtime: Runtime) -> None:
    """Runs beside the jobs until the worker stops; several workers may, rows are skipped locked."""
    async with asyncio.TaskGroup() as each:
        # By themselves: jobs that crashed wait for no silent host, and for no provider's program.
        each.create_task(_sweep_forever(runtime))
        each.create_task(_look_forever(runtime))
        each.create_task(_look_at_extensions_forever(runtime))
        each.create_task(_tidy_forever(runtime))


async def _sweep_forever(runtime: Runtime) -> None:
    while True:
        await _went("jobs", sweep(runtime))
        await asyncio.sleep(EVERY)


async def _look_forever(runtime: Runtime) -> None:
    while runtime.look_every is not None:
        await _went("routers", sweep_routers(runtime, runtime.look_every))
        await asyncio.sleep(EVERY)


async def _look_at_extensions_forever(runtime: Runtime) -> None:
    while runtime.extension_look_every is not None:
        await _went("extensions", sweep_extensions(runtime, runtime.extension_look_every))
        await asyncio.sleep(EVERY)


async def _tidy_forever(runtime: Runtime) -> None:
    while True:
        went = await _went("housekeeping", tidy(runtime))
        await asyncio.sleep(TIDY_EVERY if went else TIDY_AGAIN)


async def _went(name: str, work: Awaitable[None]) -> bool:
    """Whether it did; what it raises is logged, and ends nothing else."""
    try:
        await work
    except ServiceError as error:
        log.warning("sweep.failed", part=name, reason=error.detail)
    except Exception:
        log.exception("sweep.crashed", part=name)
    else:
        return True
    return False


async def sweep(runtime: Runtime, policy: WaitPolicy | None = None) -> None:
    policy = policy or WaitPolicy()
    for job_id in await services.recovery.recover(runtime.db, policy=policy):
        log.info("job.recovered", job=str(job_id))
    await services.recovery.dispatch(runtime.db, runtime.queue, policy=policy)
    await services.machines.close(runtime.db)
    if told := await services.dirty_routes.sweep(runtime.db, runtime.queue):
        log.info("routes.told", jobs=told)


async def tidy(runtime: Runtime) -> None:
    """What nobody needs any more: app servers, and rows of the tables; with a line about it."""
    if ended := await services.retention.sweep(runtime.db, runtime.queue):
        log.info("app_servers.obsolete", jobs=ended)
    done = await services.housekeeping.tidy(runtime.db, events_kept=runtime.events_kept)
    if done.in_rest:
        log.warning("events.month_missed", months=done.in_rest)
    told = {"made": done.made, "dropped": done.dropped}
    if any(told.values()) or done.events or done.answers:
        log.info("database.tidied", **told, events=done.events, answers=done.answers)
    # Last: the operator's programs may take long, or fail in ways of their own.
    await sweep_machines(runtime)
