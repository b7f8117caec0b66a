"""Jobs that follow by themselves: another attempt when one failed, the switch when all are ready.

Each is made in the transaction that ends the job it follows, so that nothing is forgotten between
the two, and nothing is made twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.deployment import helps_another_try, try_of
from app.domain.event import EventType
from app.domain.job import EXTENDING, Ending, EndingWhy, JobKind, JobStatus, Outcome
from app.domain.quarantine import is_of_host
from app.errors import LostOwnership, NotFound
from app.models import Host, Instance, Job
from app.services import activating, judging_hosts, trying_again
from app.services.job_request import Terms
from app.services.trying_again import NoOther


@dataclass(frozen=True)
class Ground:
    """Where a job ends that others may follow: rows that are locked before that of the job."""

    instance: Instance
    host: Host
    #: The hosts that another attempt may go to; none, unless a pool chose this one.
    pool: tuple[Host, ...] = ()


def may_change_more(
    job: Job,
    status: JobStatus,
    error: Mapping[str, Any] | None = None,
    outcome: Outcome | None = None,
) -> bool:
    """Whether this end of the job may be more than its own: a job may follow, a set serves, or its
    host is closed.
    """
    if job.dry_run or job.instance_id is None or job.host_id is None:
        return False
    if judging_hosts.may_close(job, status, error):
        return True
    if job.kind is JobKind.PROVISION:
        mine = try_of(job.id, job.params)
        succeeded = status is JobStatus.SUCCEEDED
        return (succeeded and mine.activate) or _may_try_again(job, status)
    if job.kind in EXTENDING:
        return _is_newest(job, outcome)
    return job.kind is JobKind.ACTIVATE and _stands(status, outcome)


def _is_newest(job: Job, outcome: Outcome | None) -> bool:
    """Whether a change of extensions has put a set into service: what was asked for before it, and
    is ready later, would take it out again.
    """
    return outcome is Outcome.CHANGED and bool((job.facts or {}).get("in_service"))


def _stands(status: JobStatus, outcome: Outcome | None) -> bool:
    """Whether an activation has left its set in service: also one whose site broke, where the set
    before had died already.
    """
    return status is JobStatus.SUCCEEDED or outcome is Outcome.CHANGED


async def lock(session: AsyncSession, job: Job, status: JobStatus) -> Ground:
    """Instance and hosts, in the order of a claim; raises LostOwnership when they are gone."""
    if job.instance_id is None or job.host_id is None:
        raise LostOwnership
    pool = job.params.get("pool") if _may_try_again(job, status) else None
    try:
        instance = await store.orders.lock_instance(session, job.instance_id)
        if pool is None:
            return Ground(instance, await store.orders.lock_host(session, job.host_id))
        hosts = await store.orders.lock_pool(session, pool, beside=job.host_id)
    except NotFound as error:
        raise LostOwnership from error
    own = {host.id: host for host in hosts}.get(job.host_id)
    if own is None:
        raise LostOwnership
    return Ground(instance, own, tuple(host for host in hosts if host.pool == pool))


async def follow(
    session: AsyncSession,
    job: Job,
    status: JobStatus,
    error: Mapping[str, Any] | None,
    *,
    ground: Ground | None,
    ordered: Ending | None,
    outcome: Outcome | None = None,
) -> Job | None:
    """What the end brings about; call once the end is written, with `ground` locked before it.

    Returns the job that follows, for the caller to push. `ordered` is the order to stop that the
    job was given. Without `ground` nothing follows.
    """
    match job.kind, status:
        case kind, _ if ground and kind in EXTENDING and _is_newest(job, outcome):
            await store.routes.keep_activated(session, ground.instance.id, job.sequence or 0)
        case JobKind.ACTIVATE, _ if ground and _stands(status, outcome):
            sequence: int = job.params.get("sequence") or job.sequence or 0
            await store.routes.keep_activated(session, ground.instance.id, sequence)
        case JobKind.PROVISION, JobStatus.SUCCEEDED if ground:
            return await _activate(session, job, ground)
        case JobKind.PROVISION, JobStatus.FAILED if not job.dry_run:
            code = error.get("code") if error else None
            try:
                return await _try_again(session, job, code, ground, ordered)
            except NoOther as why:
                await _give_up(session, job, str(why))
    return None


def _may_try_again(job: Job, status: JobStatus) -> bool:
    is_last = try_of(job.id, job.params).is_last
    return job.kind is JobKind.PROVISION and status is JobStatus.FAILED and not is_last


async def _try_again(
    session: AsyncSession,
    job: Job,
    code: str | None,
    ground: Ground | None,
    ordered: Ending | None,
) -> Job:
    """On a new app server; the one that failed is kept for inspection. Raises NoOther."""
    mine = try_of(job.id, job.params)
    if mine.is_last:
        raise NoOther("That was the last attempt.")
    app_server = await store.app_servers.find_of_job(session, job.id)
    helps = helps_another_try(job.kind, JobStatus.FAILED, code, ordered)
    if not helps or ground is None or app_server is None:
        was_stopped = ordered is not None and ordered.why is not EndingWhy.WORKER_LOST
        same = f"Another attempt would not change that ({code or 'its cause is not known'})."
        raise NoOther("It was told to stop." if was_stopped else same)
    made = await trying_again.make(
        session,
        job,
        app_server,
        instance=ground.instance,
        host=ground.host,
        pool=ground.pool,
        blamed=is_of_host(code),
    )
    await _tell(session, job, made, why="attempt", attempt=mine.number + 1, of=mine.most)
    return made


async def _give_up(session: AsyncSession, job: Job, why: str) -> None:
    """Tell that no other attempt comes, where one could be expected."""
    mine = try_of(job.id, job.params)
    if mine.most == 1:
        return  # its failure says it all
    data = {"attempt": mine.number, "of": mine.most, "why": why}
    await store.attempts.keep_given_up(session, job.id, why)
    await store.events.append(session, job.id, (EventType.JOB_GIVEN_UP, data))


async def _activate(session: AsyncSession, job: Job, ground: Ground) -> Job | None:
    """All of the request's app servers at once, when this one is the last of them to run."""
    mine = try_of(job.id, job.params)
    if not mine.activate:
        return None
    found = await store.app_servers.list_of_deployment(session, mine.deployment)
    running = [
        row for row in found if row.status is AppServerStatus.RUNNING and row.cleaned_at is None
    ]
    if len(running) < mine.of:
        return None
    sequence = await store.standing.newest_request(session, [row.job_id for row in running])
    if sequence is None or sequence <= ground.instance.activated_sequence:
        ids = [str(row.id) for row in running]
        event = await skipped(session, ground.instance, ids)
        await store.events.append(session, job.id, event)
        return None
    made = await activating.make(
        session,
        instance=ground.instance,
        app_servers=running,
        terms=Terms.after(job),
        sequence=sequence,
        deployment=mine.deployment,
    )
    await _tell(session, job, made, why="activation")
    return made


async def skipped(
    session: AsyncSession, instance: Instance, app_servers: list[str]
) -> store.events.NewEvent:
    """The event that tells that a newer request is in service."""
    sequence = instance.activated_sequence
    newer = await store.standing.find_request(session, instance.id, sequence)
    data = {"app_servers": app_servers, "newer": newer and str(newer)}
    return EventType.ACTIVATION_SKIPPED, data


async def _tell(session: AsyncSession, job: Job, made: Job, **why: Any) -> None:
    await store.attempts.keep_next(session, job.id, made.id)
    event = EventType.JOB_FOLLOWED, {"job": str(made.id), **why}
    await store.events.append(session, job.id, event)
