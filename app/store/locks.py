"""Statements about fencing tokens. The lock itself lives in Redis; its number comes from here."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

_TAKE = text("""
    INSERT INTO locks (name, token, holder_job, holder_attempt, acquired_at)
    VALUES (:name, 1, :job_id, :attempt, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET token = locks.token + 1, holder_job = excluded.holder_job,
        holder_attempt = excluded.holder_attempt, acquired_at = excluded.acquired_at
    RETURNING token
""")


async def take(
    session: AsyncSession, names: Sequence[str], *, job_id: UUID, attempt: int
) -> dict[str, int]:
    """A new, higher token for each name, in sorted order so that two takers cannot deadlock."""
    connection = await session.connection()
    tokens = {}
    for name in sorted(names):
        values = {"name": name, "job_id": job_id, "attempt": attempt}
        tokens[name] = (await connection.execute(_TAKE, values)).scalar_one()
    return tokens
