"""Statements about fencing tokens. The lock itself lives in Redis; its number comes from here."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

_ENSURE = text("""
    INSERT INTO locks (name, token) VALUES (:name, 0) ON CONFLICT (name) DO NOTHING
""")

_LOCK = text("SELECT name FROM locks WHERE name = :name FOR NO KEY UPDATE")

# A statement of its own, after the row lock: it must see what its last holder committed.
_HOLDER = text("""
    SELECT jobs.id, jobs.kind, jobs.actor, jobs.worker, jobs.started_at
    FROM locks JOIN jobs ON jobs.id = locks.holder_job AND jobs.attempt = locks.holder_attempt
    WHERE locks.name = :name AND jobs.id <> :job_id AND jobs.lease_until IS NOT NULL
""")

_TAKE = text("""
    UPDATE locks SET token = token + 1, holder_job = :job_id, holder_attempt = :attempt,
           acquired_at = clock_timestamp()
    WHERE name = :name
    RETURNING token
""")


class Held(Exception):
    """A running job holds the lock, whatever Redis says; `holder` tells people who."""

    def __init__(self, holder: dict[str, Any]) -> None:
        super().__init__(holder["job"])
        self.holder = holder


async def take(
    session: AsyncSession, names: Sequence[str], *, job_id: UUID, attempt: int
) -> dict[str, int]:
    """A new, higher token for each name, in sorted order so that two takers cannot deadlock.

    Raises Held when the last taker still runs: its locks in Redis may have been lost, its claim in
    Postgres was not.
    """
    connection = await session.connection()
    tokens = {}
    for name in sorted(names):
        values = {"name": name, "job_id": job_id, "attempt": attempt}
        await connection.execute(_ENSURE, values)
        await connection.execute(_LOCK, values)
        holder = (await connection.execute(_HOLDER, values)).first()
        if holder is not None:
            raise Held(_note(name, holder))
        tokens[name] = (await connection.execute(_TAKE, values)).scalar_one()
    return tokens


def _note(name: str, holder: Any) -> dict[str, Any]:
    return {
        "kind": "lock",
        "locks": [name],
        "job": str(holder.id),
        "job_kind": holder.kind,
        "actor": holder.actor,
        "worker": holder.worker,
        "since": holder.started_at.isoformat() if holder.started_at else None,
    }
