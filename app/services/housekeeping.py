"""What is tidied once an hour, by one process at a time: the events' months, old answers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app import store
from app.store.database import Database

#: Months whose parts are made before they begin.
AHEAD = 3
#: How long the answer to a request is kept for when it is sent again.
ANSWERS_KEPT = timedelta(hours=24)
#: Rows that are deleted in one statement; the next look finds the rest.
_MOST = 10_000


@dataclass(frozen=True)
class Tidied:
    """What was done; empty when there was nothing to do, or somebody else does it."""

    made: tuple[str, ...] = ()
    #: Months that have no part because the rest holds events of them.
    in_rest: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    #: Rows deleted: old events outside of their part, old answers.
    events: int = 0
    answers: int = 0


async def tidy(db: Database, *, events_kept: timedelta, now: datetime | None = None) -> Tidied:
    """Make the parts of the months to come, and remove what is kept no longer.

    Each change is a transaction of its own and waits for no lock longer than a moment; raises
    Unavailable when it had to, and may be repeated.
    """
    now = now or datetime.now(UTC)
    made, in_rest = await _make_months(db, now)
    oldest = now - events_kept
    return Tidied(
        made=made,
        in_rest=in_rest,
        dropped=await _drop_months(db, oldest),
        events=await _remove_rest(db, oldest),
        answers=await _remove_answers(db),
    )


async def _make_months(db: Database, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    made: list[str] = []
    in_rest: list[str] = []
    for _ in range(AHEAD + 1):
        async with db.transaction() as session:
            if not await store.partitions.try_lock(session):
                break
            first = store.partitions.first_id(month)
            parts = await store.partitions.list_parts(session)
            if not any(part.first <= first < part.end for part in parts):
                is_made = await store.partitions.make(session, month)
                (made if is_made else in_rest).append(f"{month:%Y-%m}")
        month = store.partitions.next_month(month)
    return tuple(made), tuple(in_rest)


async def _drop_months(db: Database, oldest: datetime) -> tuple[str, ...]:
    """Parts whose whole month is older, and that hold no event of a job that was busy since."""
    dropped = []
    async with db.transaction() as session:
        parts = await store.partitions.list_parts(session)
    for part in parts:
        if part.end > store.partitions.first_id(oldest):
            break
        async with db.transaction() as session:
            if not await store.partitions.try_lock(session):
                break
            # Again, under the lock: somebody may have dropped it meanwhile.
            there = part in await store.partitions.list_parts(session)
            if there and not await store.partitions.is_needed(session, part, since=oldest):
                await store.partitions.drop(session, part)
                dropped.append(part.name)
    return tuple(dropped)


async def _remove_rest(db: Database, oldest: datetime) -> int:
    async with db.transaction() as session:
        if not await store.partitions.try_lock(session):
            return 0
        return await store.partitions.remove_rest(session, before=oldest, limit=_MOST)


async def _remove_answers(db: Database) -> int:
    async with db.transaction() as session:
        return await store.idempotency.remove_older(session, age=ANSWERS_KEPT, limit=_MOST)
