"""The arq function that carries out one job: locks, claim, plan, engine, end."""

import asyncio
import time
from typing import Any
from uuid import UUID

import structlog

from app import services
from app.domain.job import JobStatus, LeasePolicy, Outcome
from app.domain.redaction import Redactor
from app.errors import LostOwnership, NotFound, ServiceError, Unavailable
from app.gateways.locks import LockLost, to_its_end
from app.services.claiming import Blocked, Claim, Ended
from app.services.traces import Traces, follow
from app.services.work import Over, Work
from worker import engine
from worker.jobs.connect import addresses_of, fence_of, open_hosts
from worker.jobs.fencing import raise_token
from worker.jobs.giving_back import hand_over, hand_over_late, suspend
from worker.jobs.journal import Journal
from worker.jobs.lease import Lease, LeaseLost
from worker.jobs.locking import InLine, JobLocks, leave
from worker.jobs.looking import leave_to_others, look
from worker.jobs.machines import Machines
from worker.jobs.packages import package_of
from worker.jobs.past import past_of
from worker.jobs.planning import plan_of
from worker.jobs.runtime import Runtime, runtime_of
from worker.jobs.serving import service_state
from worker.jobs.tidying import tidy
from worker.jobs.verdict import end_of, end_of_bug
from worker.plans.plan import Plan
from worker.remote.errors import StaleToken
from worker.remote.host import Host

#: The job is, or may soon be, somebody else's: nothing more is written, and it goes on there.
_LEFT = (LostOwnership, NotFound, LeaseLost, StaleToken)

log = structlog.get_logger()


async def run_job(ctx: dict[str, Any], job_id: str, attempt: int) -> None:
    """One attempt at one job. A wake-up that is late or came twice does nothing."""
    runtime = runtime_of(ctx)
    try:
        again = True
        while again:
            work = await look(runtime, UUID(job_id))
            again = work.job.attempt == attempt - 1 and await _attempt(runtime, work, attempt)
    except Over as over:
        await leave(runtime.locks, runtime.queue, over.job)
    except Unavailable:
        await leave_to_others(runtime, UUID(job_id), attempt)
    except _LEFT as error:
        log.info("job.left", job=job_id, attempt=attempt, reason=type(error).__name__)


async def _attempt(runtime: Runtime, work: Work, attempt: int) -> bool:
    """Whether another look is due: it is blocked, and nobody may have seen that in time."""
    plan = _preview(runtime, work)
    locks = JobLocks(runtime.locks, runtime.queue, work, attempt=attempt, worker=runtime.name)
    try:
        await locks.acquire()
        with runtime.wakeups.subscription(f"ending:{work.job.id}") as news:
            lease = Lease(LeasePolicy(), since=time.monotonic())
            claim = await services.claiming.claim(
                runtime.db,
                work,
                attempt=attempt,
                worker=runtime.name,
                lock_names=locks.names,
                most_running=runtime.most_running,
                plan=plan,
            )
            try:
                await _carry_out(runtime, claim, locks, lease, news)
            except LeaseLost:
                await hand_over_late(runtime, claim, locks)
                raise
    except Blocked as blocked:
        await locks.release(again=True)
        await services.execution.keep_plan(runtime.db, work.job.id, plan, attempt=attempt)
        in_line = isinstance(blocked, InLine)
        is_news = await services.claiming.block(
            runtime.db,
            work.job,
            attempt=attempt,
            blocked_by=blocked.blocked_by,
            in_line=in_line,
        )
        return is_news and not in_line
    except Ended as ended:
        await locks.release(also=ended.rivals)
    finally:
        await locks.release()
    return False


async def _carry_out(
    runtime: Runtime, claim: Claim, locks: JobLocks, lease: Lease, news: asyncio.Event
) -> None:
    stop = engine.Stop(claim.ending)
    locks.tell_last(claim.steps)

    async def renew() -> None:
        since = time.monotonic()
        stop.order(await services.claiming.renew(runtime.db, claim.job))
        lease.renewed(since)
        await locks.renew()

    try:
        end = await lease.keep(_run(runtime, claim, locks, lease, stop), renew, news=news)
    except engine.Suspended as wait:
        await suspend(runtime, claim, locks, lease, wait)
        return
    except (engine.Interrupted, LockLost, StaleToken) as why:
        # Postgres says whether the job is still this attempt's, whoever has its locks.
        if isinstance(why, StaleToken):
            await raise_token(runtime, claim, lease, why)
        await hand_over(runtime, claim, locks, lease)
        return
    except asyncio.CancelledError:
        await to_its_end(hand_over(runtime, claim, locks, lease))
        raise
    except (ServiceError, LeaseLost):
        raise
    except Exception as bug:
        log.exception("job.crashed", job=str(claim.job.id))
        end = end_of_bug(bug)
    rivals = await lease.insist(lambda: services.ending.settle(runtime.db, claim.job, **end))
    await locks.release(also=rivals)


async def _run(
    runtime: Runtime, claim: Claim, locks: JobLocks, lease: Lease, stop: engine.Stop
) -> dict[str, Any]:
    """The engine's run, as the final state to write."""
    db, work, job = runtime.db, claim.work, claim.job
    plan = _plan(runtime, work)
    if (described := plan.describe()) != job.plan:
        # What the claim froze is not what was seen before it.
        await lease.insist(
            lambda: services.execution.keep_plan(db, job.id, described, attempt=job.attempt)
        )
    if job.dry_run:
        return {"status": JobStatus.SUCCEEDED, "outcome": Outcome.UNCHANGED}
    secrets = await lease.insist(lambda: services.claiming.reveal_secrets(db, runtime.vault, work))
    traces = await lease.insist(lambda: follow(db, job)) if claim.steps else Traces()
    redactor = Redactor(secrets.values())
    journal = Journal(
        db, job, redactor, lease=lease, stop=stop, traces=traces, begun=locks.tell_step
    )
    machines = Machines(runtime, work, lease)
    hosts, addresses = await lease.insist(lambda: open_hosts(runtime)), addresses_of(work)

    def host_of(name: str) -> Host:
        return hosts.host(addresses[name])

    try:
        outcome = await engine.run(
            plan,
            name=str(job.id),
            host=host_of(work.host.name),
            read_host_key=lambda: hosts.read_host_key(addresses[work.host.name]),
            journal=journal,
            secrets=secrets,
            past=past_of(claim, plan, traces),
            stop=stop,
            fence=fence_of(claim, runtime.name),
            # A host that was just made is not the one that the plan was made for.
            stopping=lambda: machines.is_new or runtime.draining(),
            has_ended=lambda name: services.jobs.has_ended(db, name),
            assets_cache=runtime.assets_cache,
            hosts=host_of,
            machines=machines,
            package_of=lambda digest: package_of(runtime, lease, digest),
        )
    finally:
        await journal.close()
    await machines.settle(outcome)
    state = await service_state(work, host_of, outcome)
    await tidy(runtime, work, host_of(work.host.name), outcome)
    return end_of(work, outcome, state, redactor)


def _preview(runtime: Runtime, work: Work) -> list[dict[str, Any]]:
    """For people. What cannot be planned is told when the job is claimed: then it has an end."""
    try:
        return _plan(runtime, work).describe()
    except Exception:
        log.exception("job.unplanned", job=str(work.job.id))
        return []


def _plan(runtime: Runtime, work: Work) -> Plan:
    return plan_of(work, runtime.asset_place, health_gate=runtime.health_gate)
