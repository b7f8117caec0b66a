"""The Redis locks of one attempt: taken at once or refused, kept while the work lasts."""

from contextlib import suppress
from typing import Any

from app.domain.job import lock_names
from app.gateways.locks import Held, LockLost, Locks, LocksUnavailable, Refused
from app.models import Job
from app.services.claiming import Blocked


class JobLocks:
    """Locks by the design's table of scopes; a dry run takes none."""

    def __init__(self, locks: Locks, job: Job, *, worker: str) -> None:
        self.names = (
            ()
            if job.dry_run
            else lock_names(job.kind, instance_id=job.instance_id, host_id=job.host_id)
        )
        self._locks, self._job = locks, job
        self._note = {
            "locks": list(self.names),
            "job_kind": job.kind,
            "actor": job.actor,
            "worker": worker,
            "since": job.created_at.isoformat(),
        }
        self._held: Held | None = None

    async def acquire(self) -> None:
        """Take them without waiting; raises Blocked with the holder's note."""
        try:
            answer = await self._try()
        except LocksUnavailable as error:
            raise Blocked([{"kind": "locks-unavailable", "detail": str(error)}]) from error
        if isinstance(answer, Refused):
            raise Blocked([{"kind": "lock", **answer.holder}])
        self._held = answer

    async def renew(self) -> None:
        """Keep them; raises LockLost when another job has one.

        A Redis that is away or lost its data costs nothing here: the attempt in Postgres, which
        is renewed beside this, is the proof of ownership.
        """
        if self._held is None:
            return
        with suppress(LocksUnavailable):
            try:
                await self._locks.renew(self._held)
            except LockLost:
                await self._take_again()

    async def release(self) -> None:
        """Give them back; harmless when they are gone."""
        held, self._held = self._held, None
        if held is not None:
            await self._locks.release(held)

    async def _take_again(self) -> None:
        answer = await self._try()
        if isinstance(answer, Refused):
            raise LockLost(f"{', '.join(self.names)}: held by {dict(answer.holder)}")
        self._held = answer

    async def _try(self) -> Held | Refused:
        note: dict[str, Any] = self._note
        return await self._locks.try_acquire(self.names, job=self._job.id, note=note)
