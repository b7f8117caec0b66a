"""Statements about the monthly parts of the events: made ahead, and dropped whole when old."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from sqlmodel.ext.asyncio.session import AsyncSession

from app.store.database import driver

#: The part for whatever no month was made for in time.
REST = "events_rest"

#: Any number does, as long as every process uses the same.
_HOUSEKEEPING_LOCK = 7_305_013
#: Whoever waits for a table's lock makes everybody behind it wait, too.
_PATIENCE = "SET LOCAL lock_timeout = '250ms'"

_TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"

_PARTS = """
    SELECT relname AS name, pg_get_expr(relpartbound, pg_class.oid) AS bounds
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'events'::regclass
"""

# Ids are asked for as a range: what ended long ago cannot come back.
_NEEDED = """
    SELECT EXISTS (
        SELECT 1 FROM jobs
        WHERE id >= $1 AND id < $2 AND (finished_at IS NULL OR finished_at > $3))
"""

_REMOVE_REST = f"""
    DELETE FROM {REST} WHERE ctid IN (
        SELECT rest.ctid FROM {REST} AS rest JOIN jobs ON jobs.id = job_id
        WHERE job_id < $1 AND finished_at <= $2 LIMIT $3)
"""  # noqa: S608 (a name of ours)

_LOWEST, _BOUNDS = UUID(int=0), re.compile(r"FROM \((.+)\) TO \((.+)\)")


@dataclass(frozen=True)
class Part:
    """A part of the events: those of jobs with ids from `first` up to, without, `end`."""

    name: str
    first: UUID
    end: UUID


async def try_lock(session: AsyncSession) -> bool:
    """Whether nobody else does the housekeeping; until the transaction ends."""
    return bool(await driver(session).fetchval(_TRY_LOCK, _HOUSEKEEPING_LOCK))


async def list_parts(session: AsyncSession) -> list[Part]:
    """All but the rest, in order."""
    found = [_part(row["name"], row["bounds"]) for row in await driver(session).fetch(_PARTS)]
    return sorted((part for part in found if part is not None), key=lambda part: part.first)


async def make(session: AsyncSession, month: datetime) -> bool:
    """Make the part of a month. False: the rest has events of it already, and keeps them.

    Made apart and attached: that waits for no reader or writer of the events, nor they for it,
    unless they use the rest. `CREATE … PARTITION OF` would wait for all of them.
    """
    name, first, end = f"events_{month:%Y_%m}", first_id(month), first_id(next_month(month))
    connection = driver(session)
    try:
        async with connection.transaction():
            await connection.execute(_PATIENCE)
            await connection.execute(
                f"CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING INDEXES)"
            )
            await connection.execute(
                f"ALTER TABLE events ATTACH PARTITION {name}"
                f" FOR VALUES FROM ('{first}') TO ('{end}')"
            )
    except asyncpg.CheckViolationError:
        return False
    return True


async def is_needed(session: AsyncSession, part: Part, *, since: datetime) -> bool:
    """Whether a job of that part has not ended, or ended after that time."""
    needed: bool = await driver(session).fetchval(_NEEDED, part.first, part.end, since)
    return needed


async def drop(session: AsyncSession, part: Part) -> None:
    """Remove it with all its events; readers of others wait for less than _PATIENCE."""
    connection = driver(session)
    await connection.execute(_PATIENCE)
    await connection.execute(f"ALTER TABLE events DETACH PARTITION {part.name}")
    await connection.execute(f"DROP TABLE {part.name}")


async def remove_rest(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete old events that found no part of their own, at most so many; how many it were."""
    done = await driver(session).execute(_REMOVE_REST, first_id(before), before, limit)
    return int(done.rpartition(" ")[2])


def first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond (RFC 9562: 48 bits of time come first)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def next_month(month: datetime) -> datetime:
    """The first moment of the month after."""
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def _part(name: str, bounds: str | None) -> Part | None:
    # A part that somebody drops at this moment has no bounds any more.
    found = _BOUNDS.search(bounds or "")
    if found is None:
        return None
    first, end = (text.strip("'") for text in found.groups())
    return Part(name, _LOWEST if first == "MINVALUE" else UUID(first), UUID(end))
