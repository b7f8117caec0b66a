"""The arq function that carries out one job: locks, claim, plan, engine, end."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog

from app import services
from app.domain.job import JobStatus, LeasePolicy, Outcome, lock_names
from app.domain.redaction import Redactor
from app.errors import LostOwnership, NotFound
from app.gateways.locks import Held, LockLost, LocksUnavailable, Refused
from app.models import Job
from app.services.execution import Blocked, Claim, Work
from worker import engine
from worker.jobs.connect import address_of, open_hosts
from worker.jobs.journal import Journal
from worker.jobs.lease import work_while
from worker.jobs.planning import plan_of
from worker.jobs.runtime import Runtime, runtime_of
from worker.plans.plan import Plan

log = structlog.get_logger()


async def run_job(ctx: dict[str, Any], job_id: str, attempt: int) -> None:
    """One attempt at one job. A wake-up that is late or came twice does nothing."""
    runtime = runtime_of(ctx)
    try:
        work = await services.execution.look(runtime.db, UUID(job_id))
        if work.job.attempt == attempt - 1:
            await _attempt(runtime, work, attempt)
    except (LostOwnership, NotFound, LockLost) as error:
        log.info("job.left", job=job_id, attempt=attempt, reason=type(error).__name__)


async def _attempt(runtime: Runtime, work: Work, attempt: int) -> None:
    plan = plan_of(work)
    await services.execution.keep_plan(runtime.db, work.job.id, plan.describe())
    names = () if work.job.dry_run else _lock_names(work)
    try:
        held = await _acquire(runtime, work, names)
    except Blocked as blocked:
        await _block(runtime, work, attempt, blocked)
        return
    try:
        claim = await services.execution.claim(
            runtime.db, work, attempt=attempt, worker=runtime.name, lock_names=names
        )
        await _carry_out(runtime, work, plan, claim, held)
    except Blocked as blocked:
        await _block(runtime, work, attempt, blocked)
    finally:
        await runtime.locks.release(held)


async def _carry_out(
    runtime: Runtime, work: Work, plan: Plan, claim: Claim, held: Held
) -> None:
    async def renew() -> None:
        await services.execution.renew(runtime.db, claim.job)
        await runtime.locks.renew(held)

    try:
        result = await work_while(
            _run(runtime, work, plan, claim), renew, every=LeasePolicy().renew_every
        )
    except asyncio.CancelledError:
        await asyncio.shield(services.execution.hand_over(runtime.db, claim.job))
        raise
    rivals = await services.execution.settle(runtime.db, claim.job, **result)
    # The lock goes before the wake-up, or the woken job would find it held.
    await runtime.locks.release(held)
    for rival_id, rival_attempt in rivals:
        await runtime.queue.push(rival_id, rival_attempt)


async def _run(runtime: Runtime, work: Work, plan: Plan, claim: Claim) -> dict[str, Any]:
    """The engine's run, as the final state to write. A bug of ours fails the job, with a trace."""
    if work.job.dry_run:
        return {"status": JobStatus.SUCCEEDED, "outcome": Outcome.UNCHANGED}
    secrets: Mapping[str, str] = {}
    if work.instance is not None:
        secrets = await services.execution.reveal_secrets(
            runtime.db, runtime.vault, work.instance
        )
    journal = Journal(runtime.db, claim.job, Redactor(secrets.values()))
    async with open_hosts(runtime) as hosts:
        outcome = await engine.run(
            plan,
            host=hosts.host(address_of(work)),
            journal=journal,
            secrets=secrets,
            done=claim.done,
        )
    return journal.final(outcome)


async def _acquire(runtime: Runtime, work: Work, names: tuple[str, ...]) -> Held:
    """The job's Redis locks, without waiting; raises Blocked with the holder's note."""
    try:
        answer = await runtime.locks.try_acquire(
            names, job=work.job.id, note=_note(runtime, work.job, names)
        )
    except LocksUnavailable as error:
        raise Blocked([{"kind": "locks-unavailable", "detail": str(error)}]) from error
    if isinstance(answer, Refused):
        raise Blocked([{"kind": "lock", **answer.holder}])
    return answer


async def _block(runtime: Runtime, work: Work, attempt: int, blocked: Blocked) -> None:
    await services.execution.block(
        runtime.db, work.job, attempt=attempt, blocked_by=blocked.blocked_by
    )


def _lock_names(work: Work) -> tuple[str, ...]:
    job = work.job
    return lock_names(job.kind, instance_id=job.instance_id, host_id=job.host_id)


def _note(runtime: Runtime, job: Job, names: tuple[str, ...]) -> dict[str, Any]:
    """What a person wants to know about the holder of a lock."""
    return {
        "locks": list(names),
        "job_kind": job.kind,
        "actor": job.actor,
        "worker": runtime.name,
        "since": job.created_at.isoformat(),
    }
