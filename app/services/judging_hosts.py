"""What the end of a job tells of its host: whether it answers, and whether it is fit for use."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus
from app.domain.quarantine import DRIFT, IN_A_ROW, End, is_due, is_of_host
from app.models import Host, Job

#: What says so of the host, and not of what was done there.
_UNREACHABLE = frozenset({"host-unreachable"})
#: What says so where nothing but the host was asked.
_SILENT = _UNREACHABLE | {"connection-lost"}


def may_close(job: Job, status: JobStatus, error: Mapping[str, Any] | None) -> bool:
    """Whether the host may go into quarantine by this end: then it is locked before the job."""
    if status is not JobStatus.FAILED or error is None or _is_elsewhere(job, error):
        return False
    code = _cause(error)
    return is_of_host(code) if job.kind is JobKind.PROVISION else code == DRIFT


async def close(session: AsyncSession, job: Job, error: Mapping[str, Any], host: Host) -> None:
    """Put the job's host into quarantine if that is due, with its event.

    Call with the row of the host locked and freshly read, once `may_close` says so.
    """
    ends: Sequence[End] = [End(_cause(error))]
    if ends[0].code != DRIFT:
        ends = await store.hosts.list_ends(session, host, limit=IN_A_ROW)
    if not is_due(host.status, host.pool, ends):
        return
    said = {"code": ends[0].code, "detail": _why([str(end.code) for end in ends])}
    await store.hosts.quarantine(session, host, {**said, "job": str(job.id)})
    told = EventType.HOST_QUARANTINED, {"host": host.name, **said}
    await store.events.append(session, job.id, told)


async def note(session: AsyncSession, job: Job, error: Mapping[str, Any] | None) -> None:
    """The host's state as the job found it: unreachable, or ready again."""
    unreachable = error is not None and _is_unreachable(error) and not _is_elsewhere(job, error)
    if job.host_id is None or job.dry_run or (error is not None and not unreachable):
        return
    may_pass_over = job.kind in {JobKind.DEACTIVATE, JobKind.INSPECT}
    if error is None and (may_pass_over or job.params.get("gone")):
        return  # it succeeds on a host that is gone, too
    found = HostStatus.UNREACHABLE if unreachable else HostStatus.READY
    await store.hosts.note_status(session, job.id, attempt=job.attempt, found=found)


def _cause(error: Mapping[str, Any]) -> str | None:
    """What happened, also where the error's code tells what that means for the job."""
    found: str | None = error.get("cause") or error.get("code")
    return found


def _is_unreachable(error: Mapping[str, Any]) -> bool:
    return _cause(error) in (_SILENT if error.get("cause") else _UNREACHABLE)


def _is_elsewhere(job: Job, error: Mapping[str, Any]) -> bool:
    """Whether the step that failed was on another host than the job's own."""
    elsewhere = {step["name"] for step in job.plan or () if step.get("at")}
    return error.get("step") in elsewhere


def _why(codes: Sequence[str]) -> str:
    if codes[0] == DRIFT:
        return "It shows another key than the pinned one."
    oldest_first = ", then ".join(dict.fromkeys(reversed(codes)))
    return f"{len(codes)} provisions in a row ended because of it: {oldest_first}."
