"""A job that its attempt does not end: for the next worker, or given back until there is news."""

import time
from contextlib import suppress

from app import services
from app.domain.job import LeasePolicy
from app.errors import LostOwnership
from app.services.claiming import Claim
from worker import engine
from worker.jobs.lease import Lease, LeaseLost
from worker.jobs.locking import JobLocks, wake
from worker.jobs.runtime import Runtime


async def hand_over(runtime: Runtime, claim: Claim, locks: JobLocks, lease: Lease) -> None:
    """Give the job to the next worker; a step that runs on the host runs on, to be met there."""
    await lease.insist(lambda: services.claiming.hand_over(runtime.db, claim.job))
    locks.leave_to_next()
    await wake(runtime.queue, [(claim.job.id, claim.job.attempt + 1)])


async def hand_over_late(runtime: Runtime, claim: Claim, locks: JobLocks) -> None:
    """A renewal on its way may come to Postgres yet, and would keep the job from everybody."""
    late = Lease(LeasePolicy(), since=time.monotonic())
    with suppress(LeaseLost, LostOwnership):
        await hand_over(runtime, claim, locks, late)


async def suspend(
    runtime: Runtime, claim: Claim, locks: JobLocks, lease: Lease, wait: engine.Suspended
) -> None:
    """Give the job back until there may be news; one that was told to stop meanwhile goes on."""
    suspended = {
        "kind": wait.kind,
        "number": wait.number,
        "step": wait.step,
        "since": wait.since.isoformat(),
        "until": wait.until.isoformat(),
        "reason": wait.reason,
    }
    ending = await lease.insist(
        lambda: services.claiming.suspend(
            runtime.db, claim.job, until=wait.until, suspended=suspended
        )
    )
    if ending is not None:
        await hand_over(runtime, claim, locks, lease)
