"""Jobs whose locks cannot even be asked for: counted, and ended after some times."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import Ending, EndingWhy, JobStatus
from app.domain.problem import error_of
from app.models import Job
from app.services.ending import end_abandoned, end_waiting

CODE = "locks-unavailable"


#: Failures with more time between them are not in a row.
_ROW = timedelta(seconds=60)


def failures(blocked_by: Sequence[Mapping[str, Any]]) -> int:
    """How many times in a row locking itself failed."""
    first = blocked_by[0] if blocked_by else {}
    return int(first.get("attempts", 0)) if first.get("kind") == CODE else 0


def counted(job: Job, blocked_by: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same, with this time counted when it was locking that failed."""
    now, at = [dict(item) for item in blocked_by], datetime.now(UTC)
    if now[0].get("kind") == CODE:
        before = failures(job.blocked_by)
        if before and at - datetime.fromisoformat(job.blocked_by[0]["at"]) > _ROW:
            before = 0
        now[0] |= {"attempts": before + 1, "at": at.isoformat()}
    return now


async def give_up(
    session: AsyncSession, job_id: UUID, blocked_by: Sequence[Mapping[str, Any]]
) -> None:
    """End the job; one that has begun is told to, and only when that fails as well it is ended.

    Call in the transaction that blocked it. One that somebody canceled goes on trying: that it
    stops is what was asked for.
    """
    job = await store.jobs.lock(session, job_id)
    if job.status is JobStatus.CANCELING:
        return
    reason = (
        f"Its locks could not be asked for, {failures(blocked_by)} times in a row:"
        f" {blocked_by[0].get('detail')}"
    )
    hint = f"See whether Redis answers: GET /readyz; then ask again: liftlock jobs retry {job.id}"
    if job.started_at is None:
        error = error_of(CODE, f"{reason} Nothing had been begun.", hint=hint)
        await end_waiting(session, job, JobStatus.FAILED, error=error)
    elif job.ending is None:
        at = datetime.now(UTC).isoformat()
        await store.jobs.order_end(session, job, Ending(EndingWhy.LOCK_WAIT, at=at, reason=reason))
        # The undo needs the locks as well, and is tried as many times.
        job.blocked_by = []
    else:
        left = "It could not be undone either: what it started may still run on its host."
        await end_abandoned(session, job, error=error_of(CODE, f"{reason} {left}", hint=hint))
