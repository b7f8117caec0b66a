"""The arq function that carries out one job: locks, claim, plan, engine, end."""

import asyncio
from typing import Any
from uuid import UUID

import structlog

from app import services
from app.domain.job import JobStatus, LeasePolicy, Outcome, ServiceState
from app.domain.problem import CODES, docs_url
from app.domain.redaction import Redactor
from app.errors import LostOwnership, NotFound, ServiceError
from app.gateways.locks import LockLost
from app.services.claiming import Blocked, Claim
from app.services.work import Work
from worker import engine
from worker.jobs.connect import address_of, open_hosts
from worker.jobs.journal import Journal, error_of
from worker.jobs.lease import work_while
from worker.jobs.locking import JobLocks
from worker.jobs.planning import plan_of
from worker.jobs.runtime import Runtime, runtime_of
from worker.jobs.serving import service_state

log = structlog.get_logger()


async def run_job(ctx: dict[str, Any], job_id: str, attempt: int) -> None:
    """One attempt at one job. A wake-up that is late or came twice does nothing."""
    runtime = runtime_of(ctx)
    try:
        work = await services.work.look(runtime.db, UUID(job_id))
        if work.job.attempt == attempt - 1:
            await _attempt(runtime, work, attempt)
    except (LostOwnership, NotFound, LockLost) as error:
        log.info("job.left", job=job_id, attempt=attempt, reason=type(error).__name__)


async def _attempt(runtime: Runtime, work: Work, attempt: int) -> None:
    await services.execution.keep_plan(runtime.db, work.job.id, plan_of(work).describe())
    locks = JobLocks(runtime.locks, work.job, worker=runtime.name)
    try:
        await locks.acquire()
        claim = await services.claiming.claim(
            runtime.db, work, attempt=attempt, worker=runtime.name, lock_names=locks.names
        )
        await _carry_out(runtime, claim, locks)
    except Blocked as blocked:
        await services.claiming.block(
            runtime.db, work.job, attempt=attempt, blocked_by=blocked.blocked_by
        )
    finally:
        await locks.release()


async def _carry_out(runtime: Runtime, claim: Claim, locks: JobLocks) -> None:
    async def renew() -> None:
        await services.claiming.renew(runtime.db, claim.job)
        await locks.renew()

    try:
        end = await work_while(_run(runtime, claim), renew, every=LeasePolicy().renew_every)
    except engine.Interrupted:
        await _hand_over(runtime, claim, locks)
        return
    except asyncio.CancelledError:
        await asyncio.shield(_hand_over(runtime, claim, locks))
        raise
    except (ServiceError, LockLost):
        raise
    except Exception as bug:
        log.exception("job.crashed", job=str(claim.job.id))
        end = _end_of_bug(bug)
    rivals = await services.ending.settle(runtime.db, claim.job, **end)
    # The locks go before the wake-up, or the woken job would find them held.
    await locks.release()
    for rival_id, rival_attempt in rivals:
        await runtime.queue.push(rival_id, rival_attempt, again=True)


async def _hand_over(runtime: Runtime, claim: Claim, locks: JobLocks) -> None:
    """Give the job to the next worker; a step that runs on the host runs on, to be met there."""
    await services.claiming.hand_over(runtime.db, claim.job)
    await locks.release()
    await runtime.queue.push(claim.job.id, claim.job.attempt + 1)


async def _run(runtime: Runtime, claim: Claim) -> dict[str, Any]:
    """The engine's run, as the final state to write."""
    work, plan = claim.work, plan_of(claim.work)
    await services.execution.keep_plan(runtime.db, work.job.id, plan.describe())
    if work.job.dry_run:
        return {"status": JobStatus.SUCCEEDED, "outcome": Outcome.UNCHANGED}
    secrets = await services.claiming.reveal_secrets(runtime.db, runtime.vault, work)
    redactor = Redactor(secrets.values())
    journal, address = Journal(runtime.db, claim.job, redactor), address_of(work)
    async with open_hosts(runtime) as hosts:
        host = hosts.host(address)
        outcome = await engine.run(
            plan,
            name=str(work.job.id),
            host=host,
            read_host_key=lambda: hosts.read_host_key(address),
            journal=journal,
            secrets=secrets,
            done=claim.done,
            stopping=runtime.draining,
        )
        state = await service_state(work, host, outcome)
    return _end_of(outcome, state, redactor)


def _end_of(
    outcome: engine.Outcome, state: ServiceState | None, redactor: Redactor
) -> dict[str, Any]:
    """What was done, and what the site serves now."""
    end: dict[str, Any]
    if outcome.error is None:
        end = {"status": JobStatus.SUCCEEDED, "outcome": Outcome.CHANGED}
    else:
        undone = Outcome.ROLLED_BACK if outcome.undone else Outcome.ROLLBACK_FAILED
        error = error_of(outcome.error, redactor)
        end = {"status": JobStatus.FAILED, "outcome": undone, "error": error}
    return {**end, "service_state": state}


def _end_of_bug(bug: Exception) -> dict[str, Any]:
    code = "internal-error"
    error = {
        "code": code,
        "title": CODES[code].title,
        "detail": f"The worker met {type(bug).__name__}; its log has the trace.",
        "hint": "Report it with the worker's log; then repeat the job.",
        "step": None,
        "docs": docs_url(code),
    }
    return {"status": JobStatus.FAILED, "error": error, "service_state": ServiceState.UNKNOWN}
