"""Statements about answers that are kept for requests that are sent again."""

from datetime import timedelta

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.models import Answered

# Not `FOR UPDATE` of a row: the first request has none yet. The lock ends with the transaction.
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")

_REMOVE = text("""
    DELETE FROM idempotency WHERE (actor, key) IN (
        SELECT actor, key FROM idempotency
        WHERE created_at < clock_timestamp() - CAST(:age AS interval)
        ORDER BY created_at LIMIT :limit
    )
""")


async def try_lock(session: AsyncSession, actor: str, key: str) -> bool:
    """Whether nobody else answers a request with that key now."""
    connection = await session.connection()
    name = f"liftlock.idempotency.{actor}.{key}"
    return bool(await connection.scalar(_TRY_LOCK, {"name": name}))


async def find(session: AsyncSession, actor: str, key: str) -> Answered | None:
    return await session.get(Answered, (actor, key))


async def add(session: AsyncSession, answered: Answered) -> None:
    session.add(answered)
    await session.flush()


async def remove_older(session: AsyncSession, *, age: timedelta, limit: int) -> int:
    """Forget answers older than that, at most so many; how many it were."""
    connection = await session.connection()
    return (await connection.execute(_REMOVE, {"age": age, "limit": limit})).rowcount
