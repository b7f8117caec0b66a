"""How an attempt gets a job and gives it back: claim, renew, block, suspend, hand over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.blocking import culprits
from app.domain.event import EventType
from app.domain.job import (
    STEP_DONE,
    Ending,
    LeasePolicy,
    StepStatus,
    WaitPolicy,
    takes_capacity,
)
from app.domain.lock import manual_locks
from app.errors import LostOwnership
from app.gateways.vault import Vault
from app.models import Job, JobStep
from app.services import beginning, secrets, unlockable
from app.services.beginning import Refusal
from app.services.ending import end_waiting
from app.services.work import Work, work_of
from app.store.database import Database
from app.store.turns import Turn

#: Of a job that waits for other jobs.
_REASONS = frozenset({"lock", "order", "capacity", "limit"})


class Ended(LostOwnership):
    """The job may not begin any more, and has ended; `rivals` may run now."""

    def __init__(self, rivals: Sequence[tuple[UUID, int]]) -> None:
        super().__init__("The job may not begin any more, and has ended.")
        #: Waiting jobs with their next attempt.
        self.rivals = rivals


class Blocked(Exception):
    """The job cannot run yet; `blocked_by` says who is in the way."""

    def __init__(self, blocked_by: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("blocked")
        self.blocked_by = list(blocked_by)


@dataclass(frozen=True)
class Claim:
    """A job taken: its fencing tokens, what earlier attempts did, and what it has to do."""

    job: Job
    work: Work
    tokens: Mapping[str, int]
    #: Every step that was ever begun, in order.
    steps: Sequence[JobStep]
    #: An order to stop: what was done is undone, nothing else is begun.
    ending: Ending | None
    #: What the job waited for, when it comes back from that.
    resumed: Mapping[str, Any] | None

    @property
    def done(self) -> dict[int, Mapping[str, Any]]:
        """The facts of the steps that need no second look, by number."""
        return {step.number: step.facts for step in self.steps if step.status in STEP_DONE}

    @property
    def begun(self) -> frozenset[int]:
        """Numbers of the steps that may have left something."""
        skipped = StepStatus.SKIPPED
        return frozenset(step.number for step in self.steps if step.status is not skipped)

    @property
    def tries(self) -> dict[int, int]:
        return {step.number: step.tries for step in self.steps}


async def block(
    db: Database,
    job: Job,
    *,
    attempt: int,
    blocked_by: Sequence[Mapping[str, Any]],
    in_line: bool = False,
) -> bool:
    """Note who is in the way; whether that is somebody else than before, which an event tells.

    `in_line`: it waits in Redis for a job that may only have asked, like itself; that is no reason
    while another one is known. Where locking itself failed, that is counted, and given up after
    some times.
    """
    policy = WaitPolicy()
    who = unlockable.counted(job, blocked_by)
    ago = policy.push_again_after - policy.locking_again_after
    async with db.transaction() as session:
        if in_line and not await _is_reason(session, job, who):
            who = job.blocked_by
        await store.attempts.block(
            session,
            job.id,
            attempt=attempt,
            blocked_by=who,
            wait=policy.lock_wait,
            pushed_ago=ago if unlockable.failures(who) else timedelta(),
        )
        is_news = culprits(who) != culprits(job.blocked_by)
        if is_news:
            await store.events.append(session, job.id, (EventType.JOB_BLOCKED, {"blocked_by": who}))
        if unlockable.failures(who) >= policy.most_locking_failures:
            await unlockable.give_up(session, job.id, who)
    return is_news


async def claim(
    db: Database,
    work: Work,
    *,
    attempt: int,
    worker: str,
    lock_names: Sequence[str],
    most_running: int = 0,
    plan: Sequence[Mapping[str, Any]] | None = None,
) -> Claim:
    """Take the job in one transaction: attempt, lease, capacity, fencing tokens, plan, event.

    `most_running` bounds the jobs that run at a time, everywhere together; 0 is no bound.
    Raises LostOwnership when it is not to be had, Blocked when the order of requests or a
    capacity stands in the way; nothing is written then. Raises Ended for a job that had not
    begun, and met a manual lock or a world that is not as it was when the job was asked for.
    """
    job = work.job
    async with db.transaction() as session:
        await store.turns.lock(session, job, lock_names=lock_names)
        turn = await _look(session, work, lock_names)
        refusal = beginning.refuse_by_hand(work, turn.manual) if turn.manual else None
        if refusal is None:
            await _check_turn(session, work, turn, most_running)
            refusal = await beginning.check(session, job, turn)
        if refusal is None:
            claimed = await store.attempts.claim(
                session,
                job.id,
                attempt=attempt,
                worker=worker,
                lease=LeasePolicy().lease,
                lock_names=lock_names,
                facts=await beginning.freeze(session, work, turn),
                event=EventType.JOB_RESUMED if turn.suspended else EventType.JOB_STARTED,
                plan=plan,
            )
            # The first attempt has nothing behind it.
            steps = await store.steps.list_of_job(session, job.id) if attempt > 1 else []
            work = await work_of(session, work, claimed.job)
            return Claim(claimed.job, work, claimed.tokens, steps, turn.ending, turn.suspended)
        rivals = await _end_unbegun(session, job, refusal)
    raise Ended(rivals)


async def renew(db: Database, job: Job) -> Ending | None:
    """Say that this attempt lives; the order to stop, if there is one. Raises LostOwnership."""
    async with db.statement() as session:
        return await store.attempts.renew(
            session, job.id, attempt=job.attempt, lease=LeasePolicy().lease
        )


async def reveal_secrets(db: Database, vault: Vault, work: Work) -> dict[str, str]:
    """The instance's secrets in plain text, for this attempt only."""
    if work.instance is None or not work.secret_names:
        return {}
    async with db.transaction() as session:
        return await secrets.reveal(session, vault, work.instance)


async def hand_over(db: Database, job: Job) -> None:
    """Give the job back because this worker stops; the next one takes it up at once."""
    async with db.transaction() as session:
        data = {"worker": job.worker, "attempt": job.attempt}
        await store.events.append(
            session, job.id, (EventType.JOB_HANDED_OVER, data), attempt=job.attempt
        )
        await store.attempts.requeue(session, await store.jobs.get(session, job.id))


async def suspend(
    db: Database, job: Job, *, until: datetime, suspended: Mapping[str, Any]
) -> Ending | None:
    """Give the job back until a time; its instance stays reserved. Raises LostOwnership.

    When it was told to stop in the meantime, nothing is given back and that order returned.
    """
    async with db.transaction() as session:
        ending = await store.attempts.renew(
            session, job.id, attempt=job.attempt, lease=LeasePolicy().lease
        )
        if ending is None:
            await store.events.append(
                session, job.id, (EventType.JOB_SUSPENDED, suspended), attempt=job.attempt
            )
            await store.attempts.suspend(
                session, job.id, attempt=job.attempt, until=until, suspended=suspended
            )
        return ending


async def _is_reason(session: AsyncSession, job: Job, who: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a job that is refused in Redis waits for these rather than for what it knows."""
    in_the_way, known = who[0].get("job"), job.blocked_by
    if in_the_way is None or not known or known[0].get("kind") not in _REASONS:
        return True
    if culprits(who) == culprits(known):
        return True
    return await store.jobs.has_begun(session, UUID(in_the_way))


async def _look(session: AsyncSession, work: Work, lock_names: Sequence[str]) -> Turn:
    """What stands in the job's way; raises LostOwnership when there is no such job."""
    job = work.job
    manual = {
        name
        for host in beginning.hosts_of(work)
        for name in manual_locks(job.kind, instance_id=job.instance_id, host_id=host.id)
    }
    turn = await store.turns.look(
        session,
        job,
        lock_names=lock_names,
        manual_locks=sorted(manual),
        counted=_is_counted(job),
    )
    if turn is None:
        raise LostOwnership
    return turn


async def _check_turn(session: AsyncSession, work: Work, turn: Turn, most_running: int) -> None:
    """Raise Blocked while the job has to wait."""
    if _is_counted(work.job) and turn.ending is None:
        await _check_order(session, work, turn, most_running)
    if turn.holder is not None:
        raise Blocked([turn.holder])


async def _check_order(session: AsyncSession, work: Work, turn: Turn, most_running: int) -> None:
    # What has begun goes on first: everybody else waits for it.
    if turn.older is not None and work.job.started_at is None:
        raise Blocked([{"kind": "order", "job": str(turn.older)}])
    if turn.busy + turn.ahead >= turn.capacity:
        raise Blocked([{"kind": "capacity", "host": work.host.name, "capacity": turn.capacity}])
    if most_running and await store.turns.is_full(session, work.job, most=most_running):
        raise Blocked([{"kind": "limit", "most_running": most_running}])


def _is_counted(job: Job) -> bool:
    return takes_capacity(job.kind) and not job.dry_run


async def _end_unbegun(session: AsyncSession, job: Job, refusal: Refusal) -> list[tuple[UUID, int]]:
    """The job ends, and those behind it are told."""
    await end_waiting(session, job, refusal.status, error=refusal.error, first=refusal.told)
    return await store.outbox.list_rivals(session, job)
