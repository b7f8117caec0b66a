"""The Redis locks of one attempt: taken at once, or waited for in line without a worker."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.domain.job import lock_names, place_of, purpose
from app.errors import LostOwnership
from app.gateways.locks import Held, LockLost, Locks, LocksUnavailable, Refused, to_its_end
from app.gateways.queue import JobQueue
from app.models import Job, JobStep
from app.services.claiming import Blocked
from app.services.work import Work

#: Pauses, in seconds, before a lock that Redis forgot counts as another job's: who asked for it
#: meanwhile gives it back as soon as Postgres refuses him.
_AGAIN = (0.05, 0.15, 0.3, 0.5)
#: Seconds that waking others may take; the dispatcher does it as well.
_PATIENCE = 2.0


class InLine(Blocked):
    """It stands in line and is told when its turn comes; or Redis is away, and it tries again."""


class JobLocks:
    """Locks by the design's table of scopes; a dry run takes none."""

    def __init__(
        self, locks: Locks, queue: JobQueue, work: Work, *, attempt: int, worker: str
    ) -> None:
        self._locks, self._queue, self._job = locks, queue, work.job
        self._attempt = attempt
        self.names = names_of(work.job)
        self._note = _note(work, self.names, attempt=attempt, worker=worker)
        self._is_new = False
        self._held: Held | None = None

    async def acquire(self) -> None:
        """Take them without waiting.

        Raises InLine with the note of who is in the way, and LostOwnership when another worker
        looks at this very attempt.
        """
        if not self.names:
            return
        try:
            answer = await self._try(begun=self._job.started_at is not None)
        except LocksUnavailable as error:
            raise InLine([{"kind": "locks-unavailable", "detail": str(error)}]) from error
        if isinstance(answer, Held):
            self._held = answer
        elif answer.position:
            raise InLine([_blocker(answer)])
        else:
            raise LostOwnership

    async def renew(self) -> None:
        """Keep them, with the newest note; raises LockLost when another job has one.

        A Redis that is away or lost its data costs nothing here: the attempt in Postgres, which
        is renewed before this, is the proof of ownership.
        """
        if self._held is None:
            return
        is_new, self._is_new = self._is_new, False
        try:
            await self._locks.renew(self._held, note=self._note if is_new else None)
        except LocksUnavailable:
            self._is_new |= is_new
        except LockLost:
            with suppress(LocksUnavailable):
                await self._take_again()

    async def release(self, *, again: bool = False, also: Sequence[tuple[UUID, int]] = ()) -> None:
        """Give them back and wake whoever has them now, and `also` these jobs at these attempts.

        It is done to its end also when this is cancelled; harmless when they are gone. `again`:
        it was not this job's turn, so nobody is woken whose turn is later.
        """
        held, self._held = self._held, None
        if held is not None or also:
            await to_its_end(self._give_back(held, again=again, also=also))

    def leave_to_next(self) -> None:
        """The job's next attempt takes them over; without one they end by themselves."""
        self._held = None

    def tell_step(self, title: str, since: datetime | None = None) -> None:
        """The step begun last, for whoever asks what the holder does."""
        since = since or datetime.now(UTC)
        self._note |= {"step": title, "step_since": since.isoformat()}
        self._is_new = True

    def tell_last(self, steps: Iterable[JobStep]) -> None:
        """The same, of what earlier attempts began."""
        begun = [(step.started_at, step.title) for step in steps if step.started_at is not None]
        if begun:
            since, title = max(begun)
            self.tell_step(title, since)

    async def _give_back(
        self, held: Held | None, *, again: bool, also: Sequence[tuple[UUID, int]]
    ) -> None:
        waiters = await self._locks.release(held, again=again) if held is not None else []
        told = [(waiter.job, waiter.attempt) for waiter in waiters]
        await wake(self._queue, [*told, *also])

    async def _take_again(self) -> None:
        for pause in (*_AGAIN, None):
            answer = await self._try(begun=True)
            if isinstance(answer, Held):
                self._held = answer
                return
            if pause is None:
                raise LockLost(f"{', '.join(self.names)}: held by {dict(answer.holder)}")
            await asyncio.sleep(pause)

    async def _try(self, *, begun: bool) -> Held | Refused:
        job = self._job
        place = place_of(begun=begun, priority=job.priority, sequence=job.sequence or 0)
        return await self._locks.try_acquire(
            self.names, job=job.id, attempt=self._attempt, place=place, note=self._note
        )


def names_of(job: Job) -> tuple[str, ...]:
    if job.dry_run:
        return ()
    return lock_names(job.kind, instance_id=job.instance_id, host_id=job.host_id)


async def leave(locks: Locks, queue: JobQueue, job: Job) -> None:
    """A job that has ended gives up its place in line, and what was handed to it.

    It is done to its end also when this is cancelled: who has its turn now is told.
    """
    if names := names_of(job):
        await to_its_end(_leave(locks, queue, names, job.id))


async def _leave(locks: Locks, queue: JobQueue, names: Sequence[str], job_id: UUID) -> None:
    waiters = await locks.leave(names, job=job_id)
    await wake(queue, [(waiter.job, waiter.attempt) for waiter in waiters])


async def wake(queue: JobQueue, jobs: Iterable[tuple[UUID, int]]) -> None:
    """Push each of them once; the attempt is the one that it would be."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            for job_id, attempt in dict.fromkeys(jobs):
                await queue.push(job_id, attempt, again=True)


def _note(work: Work, names: Sequence[str], *, attempt: int, worker: str) -> dict[str, Any]:
    job = work.job
    why = purpose(
        job.kind,
        instance=work.instance.name if work.instance else None,
        host=work.host.name,
        revision=job.params.get("revision"),
        names=job.params.get("names", ()),
    )
    return {
        "locks": list(names),
        "job": str(job.id),
        "job_kind": job.kind,
        "actor": job.actor,
        "why": why,
        "worker": worker,
        "attempt": attempt,
        "since": datetime.now(UTC).isoformat(),
    }


def _blocker(refused: Refused) -> dict[str, Any]:
    if refused.waits:
        job = refused.holder.get("job")
        return {"kind": "order", "job": job, "position": refused.position}
    return {"kind": "lock", **refused.holder, "position": refused.position}
