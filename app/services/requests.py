"""Asking for a job: what was asked is checked, kept with its first event, and a worker woken."""

from collections.abc import Awaitable, Callable, Mapping

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind
from app.domain.lock import manual_locks
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.services import (
    activating,
    asking,
    conflicts,
    extending,
    inspecting,
    jobs,
    making,
    manual,
    provisioning,
    retiring,
    routing,
    waking,
)
from app.services.asking import Asked, Prepared
from app.services.job_request import JobRequest, Terms
from app.services.jobs import JobView
from app.services.schedule import begin_of, end_of
from app.store.database import Database

__all__ = ["JobRequest", "request"]

_Prepare = Callable[[AsyncSession, Vault, JobRequest, Terms], Awaitable[Prepared]]


async def request(
    db: Database,
    queue: JobQueue,
    vault: Vault,
    *,
    request: JobRequest,
    actor: str,
    request_id: str,
) -> tuple[JobView, bool]:
    """Commit the job with its first event, then wake a worker.

    Several app servers that are wanted together have a job each; the first one is the answer. The
    flag is false for a job that waited already (`on_conflict=return`). Raises Invalid with a
    pointer for what the body names wrongly, and Conflict for a host that takes no work, an app
    server in a state that does not allow it, a lock that somebody placed by hand, or a job that is
    in the way; nothing is written then.
    """
    not_before = begin_of(request.not_before)
    terms = Terms(
        actor=actor,
        request_id=request_id,
        priority=request.priority,
        not_before=not_before,
        deadline=end_of(request.deadline, not_before=not_before),
        dry_run=request.dry_run,
        retry_of=request.retry_of,
    )
    async with db.transaction() as session:
        wanted = await _PREPARE[request.kind](session, vault, request, terms)
        if wanted.manual is not None and not request.dry_run:
            raise manual.refusal(wanted.manual, wanted.names)
        found = await conflicts.resolve(
            session, wanted.job, request.on_conflict, settings=wanted.settings
        )
        if found is not None:
            return await jobs.view(session, found), False
        made = await wanted.add()
        for job in made.new if not_before is None else ():
            waking.push(session, queue, job)
        return made.view, True


async def _enrolment(
    session: AsyncSession, _: Vault, request: JobRequest, terms: Terms
) -> Prepared:
    host = await asking.named_host(session, request.host)
    names = {"host": host.name}
    job = making.new_job(JobKind.ENROLL, terms, host_id=host.id, params={"host": request.host})

    async def add() -> Asked:
        await making.add_job(session, job, names)
        return asking.asked(job, names=names)

    locks = manual_locks(job.kind, instance_id=None, host_id=host.id)
    found = await store.locks.find_manual(session, locks)
    return Prepared(job, names, found, add)


_PREPARE: Mapping[JobKind, _Prepare] = {
    JobKind.PROVISION: provisioning.prepare,
    JobKind.ENROLL: _enrolment,
    JobKind.ACTIVATE: activating.prepare,
    JobKind.DEACTIVATE: retiring.prepare,
    JobKind.TERMINATE: retiring.prepare,
    JobKind.ROUTE: routing.prepare,
    JobKind.INSTALL: extending.prepare,
    JobKind.UNINSTALL: extending.prepare,
    JobKind.ENABLE: extending.prepare,
    JobKind.DISABLE: extending.prepare,
    JobKind.INSPECT: inspecting.prepare,
}
