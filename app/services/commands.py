"""What callers tell jobs that exist: stop, do it again, this is what became of the step.

Only the job's own row is locked; a repeated one is a new request.
"""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.extension_spec import ExtensionSpec
from app.domain.job import (
    EXTENDING,
    FINAL,
    Answer,
    Ending,
    EndingWhy,
    JobKind,
    JobStatus,
    WaitPolicy,
)
from app.errors import Conflict, TooEarly
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.models import Job
from app.services import jobs, requests, waking
from app.services.ending import end_waiting
from app.services.jobs import JobView
from app.services.requests import JobRequest
from app.store.database import Database, announce

_COOL_OFF = WaitPolicy().cool_off
_REPEATABLE = FINAL - {JobStatus.SUCCEEDED}


async def cancel(
    db: Database,
    queue: JobQueue,
    job_id: UUID,
    *,
    actor: str,
    reason: str | None = None,
    force: bool = False,
) -> JobView:
    """Tell a job to stop and undo what it did; telling it again changes nothing.

    `force` interrupts also what would rather finish, once the first request had time to work.
    Raises NotFound, Conflict for a job that has ended otherwise, and TooEarly.
    """
    async with db.transaction() as session:
        job = await store.jobs.lock(session, job_id)
        order = store.jobs.ending_of(job.ending)
        if job.status in FINAL:
            _check_canceled(job)
        elif order is not None:
            if force and not order.force:
                _check_cool_off(job, order)
                await _order(session, queue, job, replace(order, force=True), actor=actor)
        elif job.started_at is None:
            told = {"by": actor, "reason": reason}
            await end_waiting(session, job, JobStatus.CANCELED, told=told)
            await waking.wake_rivals(session, queue, job)
        elif force:
            raise _not_asked(job)
        else:
            now = datetime.now(UTC).isoformat()
            order = Ending(EndingWhy.CANCELED, at=now, by=actor, reason=reason)
            await _order(session, queue, job, order, actor=actor)
        return await _seen(session, job)


async def retry(
    db: Database, queue: JobQueue, vault: Vault, job_id: UUID, *, actor: str, request_id: str
) -> JobView:
    """Ask for the same again, as a new job; raises NotFound, and what a new request raises."""
    view = await jobs.get(db, job_id)
    job = view.job
    if job.status not in _REPEATABLE:
        raise _not_repeatable(job)
    if (view.host_name is None and not _may_move(job)) or (
        job.kind is not JobKind.ENROLL and view.instance_name is None
    ):
        raise Conflict(f"What job {job.id} was about is gone.", hint="liftlock instances list")
    request = _same(view)
    made, _ = await requests.request(
        db, queue, vault, request=request, actor=actor, request_id=request_id
    )
    return made


async def answer(
    db: Database, queue: JobQueue, job_id: UUID, *, answer: Answer, actor: str
) -> JobView:
    """Say what became of a step that nobody could know of; the same answer again is no new one.

    Raises NotFound, and Conflict when the job asks nothing.
    """
    async with db.transaction() as session:
        job = await store.jobs.lock(session, job_id)
        question = job.suspended or {}
        given = question.get("answer")
        if job.ending is not None or question.get("kind") != "question":
            raise _not_waiting(job, "It asks nothing.")
        if given not in {None, answer}:
            raise _not_waiting(job, f"It was answered already: {given}.")
        if given is None:
            await store.jobs.answer(session, job, answer)
            data = {"by": actor, "answer": answer, "step": question.get("step")}
            await store.events.append(session, job.id, (EventType.JOB_ANSWERED, data))
            await waking.wake(session, queue, job)
        return await _seen(session, job)


def _same(view: JobView) -> JobRequest:
    """What the job was asked for, as a new request."""
    job, params = view.job, view.job.params
    has_host = job.kind in {JobKind.PROVISION, JobKind.ENROLL} and not _may_move(job)
    has_instance = job.kind in {JobKind.PROVISION, JobKind.ROUTE, JobKind.INSPECT} | EXTENDING
    extension = params.get("extension")
    return JobRequest(
        kind=job.kind,
        instance=view.instance_name if has_instance else None,
        host=view.host_name if has_host else None,
        revision=params.get("revision"),
        activate=params.get("activate", False),
        attempts=params.get("tries"),
        app_servers=tuple(params.get("app_servers", ())),
        partial=params.get("partial", False),
        drain=params.get("drain"),
        watch=params.get("watch"),
        app_server=params.get("app_server"),
        gone=params.get("gone", False),
        with_data=params.get("with_data", False),
        reason=params.get("reason"),
        extension=ExtensionSpec.model_validate(extension) if extension else None,
        force=params.get("force", False),
        dry_run=job.dry_run,
        priority=job.priority,
        retry_of=job.id,
    )


def _may_move(job: Job) -> bool:
    """A pool chooses again, and a provider makes another machine."""
    return not {"pool", "provider"}.isdisjoint(job.params)


async def _order(
    session: AsyncSession, queue: JobQueue, job: Job, order: Ending, *, actor: str
) -> None:
    """Write the order to stop, and tell whoever has the job; or wake somebody to undo it."""
    await store.jobs.order_end(session, job, order)
    data = {"by": actor, "reason": order.reason, "force": order.force}
    await store.events.append(session, job.id, (EventType.JOB_CANCELING, data))
    announce(session, f"ending:{job.id}")
    if job.lease_until is None:
        await waking.wake(session, queue, job)


async def _seen(session: AsyncSession, job: Job) -> JobView:
    # Some statements wrote past the object.
    await session.refresh(job)
    return await jobs.view(session, job)


def _check_canceled(job: Job) -> None:
    if job.status is not JobStatus.CANCELED:
        raise Conflict(
            f"Job {job.id} has {_ended(job)}: nothing of it can be stopped any more.",
            code="job-ended",
            hint=f"See what it did: liftlock jobs show {job.id}",
        )


def _check_cool_off(job: Job, order: Ending) -> None:
    left = datetime.fromisoformat(order.at) + _COOL_OFF - datetime.now(UTC)
    if left > timedelta():
        seconds = math.ceil(left.total_seconds())
        raise TooEarly(
            f"Job {job.id} was told to stop at {order.at}; give it {seconds} s more to do so by"
            " itself.",
            hint=f"See what it still does: liftlock jobs logs -f {job.id}",
            retry_after=seconds,
        )


def _not_asked(job: Job) -> TooEarly:
    seconds = math.ceil(_COOL_OFF.total_seconds())
    return TooEarly(
        f"Job {job.id} was not told to stop yet; it can be forced {seconds} s after that.",
        hint=f"Cancel it first: liftlock jobs cancel {job.id}",
        retry_after=seconds,
    )


def _not_repeatable(job: Job) -> Conflict:
    if job.status is JobStatus.SUCCEEDED:
        return Conflict(
            f"Job {job.id} has succeeded: there is nothing to try again.",
            hint="Ask for a new one: liftlock provision NAME",
        )
    return Conflict(
        f"Job {job.id} has not ended: it is {job.status}.",
        hint=f"Wait for it: liftlock jobs wait {job.id}",
    )


def _not_waiting(job: Job, why: str) -> Conflict:
    return Conflict(
        f"Job {job.id} is {job.status} and waits for no answer. {why}",
        code="not-waiting",
        hint=f"See where it is: liftlock jobs show {job.id}",
    )


def _ended(job: Job) -> str:
    return "been superseded" if job.status is JobStatus.SUPERSEDED else str(job.status)
