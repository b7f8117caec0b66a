"""Tokens after Postgres was restored from a backup: the hosts remember newer ones."""

from app import store
from app.models import Job
from app.store.database import Database


async def raise_token(db: Database, job: Job, *, lock: str, ours: int, host: int) -> None:
    """Put the lock's token above the one that the host has seen; the next attempt gets it.

    A host refuses a token only for a newer one. When Postgres says all the same that the job and
    its lock are this attempt's, it has forgotten that newer one. Raises LostOwnership when it says
    that they are somebody else's.
    """
    told = {"name": lock, "ours": ours, "host": host}
    async with db.statement() as session:
        await store.fencing.raise_token(
            session, job.id, attempt=job.attempt, lock=lock, host=host, told=told
        )
