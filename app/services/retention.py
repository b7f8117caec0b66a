"""App servers that nobody needs any more are terminated, by jobs like everybody's.

So are those whose machine may be there although it was to be removed: again and again.
"""

from typing import Protocol
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind
from app.domain.lock import manual_locks
from app.errors import NotFound
from app.gateways.queue import JobQueue
from app.services import retiring, waking
from app.services.job_request import Terms
from app.store.database import Database

ACTOR, REMOVER = "liftlock:retention", "liftlock:machines"
#: App servers at a time; the next sweep finds the rest.
_MOST = 100


class _Find(Protocol):
    async def __call__(
        self, session: AsyncSession, *, limit: int, instance_id: UUID | None = None
    ) -> dict[UUID, list[UUID]]:
        """App servers to terminate, by instance; only of the one, when it is given."""


async def sweep(db: Database, queue: JobQueue) -> int:
    """Ask for the end of what is kept no longer; how many app servers that is.

    Kept are those in service, the newest that runs, the set that served last before, and whatever
    is younger than the instance's days of retention. An instance that somebody works with, or has
    locked by hand, is left for the next time. Safe to run in many workers at once.
    """
    return await _terminate_all(db, queue, store.standing.list_obsolete, ACTOR)


async def repeat(db: Database, queue: JobQueue) -> int:
    """The same for those whose machine was to be removed, and may be there; sooner and later."""
    return await _terminate_all(db, queue, store.machines.list_unconfirmed, REMOVER)


async def _terminate_all(db: Database, queue: JobQueue, find: _Find, actor: str) -> int:
    async with db.transaction() as session:
        found = await find(session, limit=_MOST)
    return sum([await _terminate(db, queue, instance_id, find, actor) for instance_id in found])


async def _terminate(
    db: Database, queue: JobQueue, instance_id: UUID, find: _Find, actor: str
) -> int:
    async with db.transaction() as session:
        try:
            instance = await store.orders.lock_instance(session, instance_id)
        except NotFound:
            return 0
        # Again, under the lock: somebody may have come first.
        found = await find(session, limit=_MOST, instance_id=instance_id)
        kind, count = JobKind.TERMINATE, 0
        for one in await store.app_servers.list_by_ids(session, found.get(instance_id, [])):
            locks = manual_locks(kind, instance_id=instance_id, host_id=one.host_id)
            if await store.locks.find_manual(session, locks) is None:
                terms = Terms(actor)
                job = await retiring.make(
                    session, kind, instance=instance, app_server=one, terms=terms
                )
                waking.push(session, queue, job)
                count += 1
        return count
