"""How an attempt gets a job and gives it back: claim, renew, block, suspend, hand over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.job import STEP_DONE, Ending, LeasePolicy, WaitPolicy, takes_capacity
from app.errors import LostOwnership
from app.gateways.vault import Vault
from app.models import Job, JobStep
from app.services import secrets
from app.services.work import Work, work_of
from app.store.database import Database
from app.store.turns import Turn


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
        return frozenset(step.number for step in self.steps)

    @property
    def tries(self) -> dict[int, int]:
        return {step.number: step.tries for step in self.steps}


async def block(
    db: Database, job: Job, *, attempt: int, blocked_by: Sequence[Mapping[str, Any]]
) -> None:
    """Note who is in the way; an event is written when that changed."""
    async with db.transaction() as session:
        await store.attempts.block(
            session, job.id, attempt=attempt, blocked_by=blocked_by, wait=WaitPolicy().lock_wait
        )
        if list(blocked_by) != job.blocked_by:
            data = {"blocked_by": list(blocked_by)}
            await store.events.append(session, job.id, (EventType.JOB_BLOCKED, data))


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
    capacity stands in the way; nothing is written then.
    """
    job = work.job
    counted = takes_capacity(job.kind) and not job.dry_run
    async with db.transaction() as session:
        await store.turns.lock(session, job, lock_names=lock_names)
        turn = await store.turns.look(session, job, lock_names=lock_names, counted=counted)
        if turn is None:
            raise LostOwnership
        if counted and turn.ending is None:
            await _check_turn(session, work, turn, most_running)
        if turn.holder is not None:
            raise Blocked([turn.holder])
        claimed = await store.attempts.claim(
            session,
            job.id,
            attempt=attempt,
            worker=worker,
            lease=LeasePolicy().lease,
            lock_names=lock_names,
            facts=turn.facts,
            event=EventType.JOB_RESUMED if turn.suspended else EventType.JOB_STARTED,
            plan=plan,
        )
        # The first attempt has nothing behind it.
        steps = await store.steps.list_of_job(session, job.id) if attempt > 1 else []
    work = work_of(work, claimed.job)
    return Claim(claimed.job, work, claimed.tokens, steps, turn.ending, turn.suspended)


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


async def _check_turn(session: AsyncSession, work: Work, turn: Turn, most_running: int) -> None:
    # What has begun goes on first: everybody else waits for it.
    if turn.older is not None and work.job.started_at is None:
        raise Blocked([{"kind": "order", "job": str(turn.older)}])
    if turn.busy + turn.ahead >= turn.capacity:
        raise Blocked([{"kind": "capacity", "host": work.host.name, "capacity": turn.capacity}])
    if most_running and await store.turns.is_full(session, work.job, most=most_running):
        raise Blocked([{"kind": "limit", "most_running": most_running}])
