"""What becomes of a request when the same is asked for already.

Decided under the lock of the instance's row (the host's, for a job without one): whoever asks at
the same moment waits there, and finds what was decided.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobStatus, OnConflict
from app.errors import AlreadyWaiting
from app.models import Job
from app.services.ending import end_waiting

#: What a job's params say besides what it does: how it was asked for, and who belongs to it.
_BESIDES = frozenset(
    {"instance", "host", "deployment", "others", "try", "next", "names", "request"}
)


async def resolve(
    session: AsyncSession,
    job: Job,
    wanted: OnConflict,
    *,
    settings: Mapping[str, str] | None,
) -> Job | None:
    """The job to answer with instead of the new one; None when the new one is to be added.

    Of a deployment of several it is the first job, and stands for all of them. `settings` is what
    the new job's site would see. Raises AlreadyWaiting.
    """
    match wanted:
        case OnConflict.RETURN:
            return await _identical(session, job, settings)
        case OnConflict.SUPERSEDE:
            for older in await store.jobs.lock_not_begun(session, job):
                told = {"by": str(job.id)}
                await end_waiting(session, older, JobStatus.SUPERSEDED, told=told)
        case OnConflict.REJECT:
            await _refuse(session, job)
        case OnConflict.QUEUE:
            pass
    return None


async def _identical(
    session: AsyncSession, job: Job, settings: Mapping[str, str] | None
) -> Job | None:
    """The first that waits and would do the same, no later than the new one would."""
    begin = job.not_before or datetime.now(UTC)
    waiting = await store.jobs.lock_not_begun(session, job)
    sizes = Counter(_deployment(older) for older in waiting)
    for older in waiting:
        app_server = await store.app_servers.find_of_job(session, older.id)
        # An app server keeps the settings of the moment it was asked for.
        has_settings = app_server is None or app_server.settings == settings
        in_time = older.not_before is None or older.not_before <= begin
        is_whole = sizes[_deployment(older)] == older.params.get("of", 1)
        if has_settings and in_time and is_whole and _does(older) == _does(job):
            return older
    return None


def _deployment(job: Job) -> object:
    return job.params.get("deployment", str(job.id))


def _does(job: Job) -> tuple[object, ...]:
    """What decides what the job does; how a request named it does not."""
    # A pool may choose another host for the same request.
    host = None if "pool" in job.params else job.host_id
    does = {name: value for name, value in job.params.items() if name not in _BESIDES}
    return host, job.recipe_id, does


async def _refuse(session: AsyncSession, job: Job) -> None:
    older = await store.jobs.find_open(session, job)
    if older is None:
        return
    raise AlreadyWaiting(
        f"Job {older.id} is {older.status} and does the same kind of work there, asked for by"
        f" {older.actor}.",
        hint=f"Wait for it: liftlock jobs wait {older.id}",
        job=older.id,
    )
