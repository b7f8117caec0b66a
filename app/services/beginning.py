"""When a job's turn has come: whether it may still begin, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.deployment import ROUTING
from app.domain.extension import CannotChange
from app.domain.job import EXTENDING, JobKind, JobStatus
from app.domain.problem import error_of
from app.errors import InUse, ServiceError
from app.models import AppServer, Host, Job
from app.services import (
    extension_facts,
    facts,
    inspecting,
    machines,
    present_extensions,
    readiness,
)
from app.services.following import skipped
from app.services.manual import words_of
from app.services.work import Work
from app.store.locks import Manual
from app.store.turns import Turn


@dataclass(frozen=True)
class Refusal:
    """Why a job ends before it has begun."""

    status: JobStatus
    error: Mapping[str, Any]
    #: Told before its last event.
    told: tuple[store.events.NewEvent, ...] = ()


async def freeze(session: AsyncSession, work: Work, turn: Turn) -> Mapping[str, Any] | None:
    """What the first claim keeps as facts. Call with the instance locked."""
    job = work.job
    if job.kind is JobKind.TERMINATE:
        return {}
    if job.kind in EXTENDING:
        # A later claim finds the world half changed, by this very job.
        return None if job.facts else await extension_facts.freeze(session, job)
    if job.kind is JobKind.INSPECT:
        return None if job.facts else await inspecting.freeze(session, job)
    if job.kind is JobKind.PROVISION and work.recipe and work.recipe.extension and not job.facts:
        await _take_extensions(session, work)
    if job.kind not in ROUTING or job.instance_id is None:
        return turn.facts
    route = await store.routes.lock(session, job.instance_id)
    active = await store.app_servers.list_active(session, job.instance_id)
    wanted = route.wanted if route else 0
    return facts.of_route(job.kind, active=[row.id for row in active], wanted=wanted)


async def check(session: AsyncSession, job: Job, turn: Turn) -> Refusal | None:
    """What was true when the job was asked for is looked at again, under its locks.

    A job that has begun is never stopped by this, nor one that only has to end.
    """
    begun = job.started_at is not None or turn.ending is not None
    if begun or (job.dry_run and job.kind not in EXTENDING):
        return None
    match job.kind:
        case JobKind.ACTIVATE:
            newest = await _check_newest(session, job)
            return newest or await _check_running(session, job) or await _check_router(session, job)
        case JobKind.TERMINATE:
            served = await _check_not_active(session, job) or await _check_unrouted(session, job)
            return served or await _check_machine(session, job)
        case _ if job.kind in EXTENDING:
            return await _check_change(session, job)
        case _:
            return None


def hosts_of(work: Work) -> Sequence[Host]:
    """Where the job works on something: it begins only when none of them is locked by hand."""
    turns = work.job.kind in ROUTING | EXTENDING
    routed = (work.routed.host,) if work.routed and turns else ()
    looked_at = work.before if work.job.kind is JobKind.INSPECT else ()
    return (work.host, *(one.host for one in (*work.targets, *looked_at)), *routed)


def refuse_by_hand(work: Work, manual: Manual) -> Refusal:
    """Nobody waits for a manual lock."""
    locked = [host.name for host in hosts_of(work) if manual.name.endswith(f":{host.id}")]
    names = {"host": locked[0] if locked else work.host.name}
    names |= {"instance": work.instance.name} if work.instance else {}
    hint = f"Ask {manual.actor}; once it is lifted: liftlock jobs retry {work.job.id}"
    return Refusal(JobStatus.FAILED, error_of("manual-lock", words_of(manual, names), hint=hint))


async def _check_newest(session: AsyncSession, job: Job) -> Refusal | None:
    """One that goes on by itself never takes the place of a newer request; a person's does."""
    sequence = job.params.get("sequence")
    if sequence is None or job.instance_id is None:
        return None
    instance = await store.orders.lock_instance(session, job.instance_id)
    if sequence > instance.activated_sequence:
        return None
    named = job.params["app_servers"]
    event = await skipped(session, instance, named)
    error = error_of(
        "newer-request",
        f"A newer request for instance {instance.name} is in service: nothing was switched.",
        hint=f"If you want the older one all the same: liftlock app-servers activate {named[0]}",
    )
    return Refusal(JobStatus.SUPERSEDED, error, (event,))


async def _check_running(session: AsyncSession, job: Job) -> Refusal | None:
    named = [UUID(ref) for ref in job.params["app_servers"]]
    found = await store.app_servers.list_by_ids(session, named)
    wrong = [row for row in found if not _runs(row)]
    if not wrong and len(found) == len(named):
        return None
    said = ", ".join(f"{row.name} is {row.status}" for row in wrong) or "one of them is gone"
    error = error_of(
        "app-server-unhealthy",
        f"Only app servers that run go into service; {said}. Nothing was switched.",
        hint=f"See which run: liftlock app-servers list {job.params['instance']}",
    )
    return Refusal(JobStatus.FAILED, error)


async def _check_router(session: AsyncSession, job: Job) -> Refusal | None:
    """One that goes on by itself was never asked for: what it needs is first looked at here."""
    if job.instance_id is None:
        return None
    instance = await store.orders.lock_instance(session, job.instance_id)
    named = [UUID(ref) for ref in job.params["app_servers"]]
    found = await store.app_servers.list_by_ids(session, named)
    try:
        await readiness.check_router(session, instance, found)
    except ServiceError as error:
        return _refused(error, "Nothing was switched.")
    return None


async def _check_not_active(session: AsyncSession, job: Job) -> Refusal | None:
    found = await store.app_servers.list_by_ids(session, [UUID(job.params["app_server"])])
    if not any(row.is_active for row in found):
        return None
    error = error_of(
        "app-server-active",
        f"{found[0].name} went into service before it could be terminated. It serves on.",
        hint=f"Take it out of service first: liftlock app-servers deactivate {found[0].id}",
    )
    return Refusal(JobStatus.FAILED, error)


async def _check_unrouted(session: AsyncSession, job: Job) -> Refusal | None:
    """The router may have fallen behind meanwhile; of one that is gone it can get nothing."""
    if job.instance_id is None or job.params.get("gone"):
        return None
    instance = await store.orders.lock_instance(session, job.instance_id)
    for one in await store.app_servers.list_by_ids(session, [UUID(job.params["app_server"])]):
        try:
            await readiness.check_unrouted(session, instance, one)
        except ServiceError as error:
            return _refused(error, "Nothing was stopped.")
    return None


async def _check_machine(session: AsyncSession, job: Job) -> Refusal | None:
    """Before anything is stopped: what came to its host meanwhile may need the machine."""
    for one in await store.app_servers.list_by_ids(session, [UUID(job.params["app_server"])]):
        try:
            await machines.keepers(session, await store.hosts.get(session, one.host_id), one)
        except InUse as error:
            return _refused(error, "Nothing was stopped.")
    return None


async def _take_extensions(session: AsyncSession, work: Work) -> None:
    """What was installed since the job was asked for belongs to its release as well."""
    made, instance = work.app_server, work.instance
    if made is None or instance is None or work.job.dry_run:
        return
    found = await present_extensions.of_instance(session, instance)
    if found != made.extensions:
        made.extensions = found
        await store.app_servers.set_extensions(session, made.id, found)


async def _check_change(session: AsyncSession, job: Job) -> Refusal | None:
    """What serves decides what the change is, and that may be another set than it was."""
    try:
        await extension_facts.find(session, job)
    except CannotChange as error:
        hint = error.hint(str(job.params.get("instance")))
        refused = error_of(error.code, f"{error.detail} Nothing was changed.", hint=hint)
        return Refusal(JobStatus.FAILED, refused)
    except ServiceError as error:
        return _refused(error, "Nothing was changed.")
    return None


def _refused(error: ServiceError, done: str) -> Refusal:
    """What a request would be told now; `done` says what became of it."""
    return Refusal(
        JobStatus.FAILED, error_of(error.code, f"{error.detail} {done}", hint=error.hint or "")
    )


def _runs(app_server: AppServer) -> bool:
    return app_server.status is AppServerStatus.RUNNING and app_server.cleaned_at is None
