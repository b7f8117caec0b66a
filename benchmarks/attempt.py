"""A job in the hands of this process, as if it were a worker: for what is measured without one."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app import services, store
from app.domain.event import EventType
from app.domain.job import LeasePolicy
from app.domain.redaction import Redactor
from app.gateways.wakeups import Wakeups
from app.models import Job
from app.store.database import Database
from benchmarks.rig import Api
from worker.jobs.journal import Journal
from worker.jobs.lease import Lease

#: Longer than any measurement: nobody takes the job back.
_POLICY = LeasePolicy(lease=timedelta(hours=1))


@dataclass(frozen=True)
class Attempt:
    """A claimed job and the handle that its writes go through."""

    db: Database
    job: Job

    def journal(self, *secrets: str) -> Journal:
        lease = Lease(_POLICY, since=time.monotonic())
        return Journal(self.db, self.job, Redactor(secrets), lease=lease)

    async def tell(self, text: str) -> None:
        """One event, in a commit of its own."""
        data = {"number": 1, "step": "talk", "text": text}
        await services.execution.record(self.db, self.job, (EventType.STEP_OUTPUT, data))


@asynccontextmanager
async def claimed(api: Api, host: str, wakeups: Wakeups | None = None) -> AsyncIterator[Attempt]:
    """A new job of the host, claimed as its first attempt; its commits are announced there."""
    asked = await api.ask("POST", "/v1/jobs", {"kind": "enroll", "host": host})
    db = Database(api.database_url, role="worker", announce=wakeups.announce if wakeups else None)
    try:
        async with db.transaction() as session:
            claimed = await store.attempts.claim(
                session, UUID(asked["id"]), attempt=1, worker="benchmark", lease=_POLICY.lease
            )
        yield Attempt(db, claimed.job)
    finally:
        await db.close()
