"""Reading a job's events: at once, with patience, or as they come."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import structlog

from app import store
from app.domain.event import Reading
from app.domain.job import FINAL
from app.errors import EventsExpired, NotFound, ServiceError, Unavailable
from app.gateways.wakeups import Wakeups
from app.services import waiting
from app.services.streams import Stream
from app.store.database import Database

#: Events of one reading of a stream. A slow client holds one reading in memory, and an event of
#: output may have 16 KiB: more would not be faster.
PAGE = 100

#: Seconds until a stream tries again to read from a Postgres that did not answer.
_PAUSE = 1.0
#: Seconds between two looks at what no wake-up told.
_LOOK_EVERY = 2.0

log = structlog.get_logger()


async def read(
    db: Database, job_id: UUID, *, after: int, limit: int, known: int | None = None
) -> Reading:
    """Events above `after`, in order; none of them while the last one is the `known` one.

    Raises NotFound, and EventsExpired when there were some that are not kept any more.
    """
    async with db.statement() as session:
        found = await store.events.read(session, job_id, after=after, limit=limit, known=known)
    if found is None:
        raise NotFound(f"There is no job {job_id}.", hint="List them with: liftlock jobs list")
    if found.has_more and found.last_seq != known and not _begins_behind(found, after):
        raise EventsExpired(hint=f"How it ended is kept: liftlock jobs show {job_id}")
    return found


async def wait(
    db: Database,
    wakeups: Wakeups,
    job_id: UUID,
    *,
    after: int,
    limit: int,
    known: int | None,
    seconds: float,
) -> Reading:
    """The same, as soon as there are events, the job is over, or the time is."""
    return await waiting.until(
        wakeups,
        store.events.topic(job_id),
        look=lambda: read(db, job_id, after=after, limit=limit, known=known),
        enough=lambda found: bool(found.items) or found.status in FINAL,
        seconds=seconds,
    )


async def follow(
    db: Database, stream: Stream, job_id: UUID, *, after: int
) -> AsyncGenerator[Reading | None, None]:
    """Readings of at least one event, until the job or the stream is over; None when it is quiet.

    The last reading of a job that is over may be empty. While Postgres is away, it waits.
    """
    while not stream.is_over:
        stream.news.clear()
        found = await _read_in_turn(db, stream, job_id, after=after)
        if found is not None and (found.items or found.is_over):
            yield found
            after = found.end
            if found.is_over:
                return
            if found.has_more:
                continue
        if not await (stream.wait() if found else stream.wait(_PAUSE)):
            yield None


async def stored(
    db: Database, stream: Stream, job_id: UUID
) -> AsyncGenerator[Reading | None, None]:
    """What there is now, from the first event."""
    after = 0
    while not stream.is_over:
        async with stream.turn:
            found = await read(db, job_id, after=after, limit=PAGE)
        yield found
        if not found.has_more:
            return
        after = found.end


async def look_around_forever(db: Database, wakeups: Wakeups) -> None:
    """Wake those whose job has told something without a wake-up: one look for all of them."""
    seen: dict[UUID, int] = {}
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        try:
            seen = await _look_around(db, wakeups, seen)
        except ServiceError as error:
            log.warning("events.look_failed", reason=error.detail)
        except Exception:
            log.exception("events.look_crashed")


def _begins_behind(found: Reading, after: int) -> bool:
    return bool(found.items) and found.items[0].seq == after + 1


async def _read_in_turn(
    db: Database, stream: Stream, job_id: UUID, *, after: int
) -> Reading | None:
    """None while Postgres does not answer. Streams leave connections for other requests."""
    async with stream.turn:
        try:
            return await read(db, job_id, after=after, limit=PAGE)
        except Unavailable:
            return None


async def _look_around(db: Database, wakeups: Wakeups, seen: dict[UUID, int]) -> dict[UUID, int]:
    """What was seen; who waits for something that was not is woken."""
    waited_for = [job_id for name in wakeups.topics if (job_id := store.events.job_of(name))]
    if not waited_for:
        return {}
    async with db.statement() as session:
        found = await store.events.last_numbers(session, waited_for)
    for job_id, last in found.items():
        if seen.get(job_id) != last:
            wakeups.wake(store.events.topic(job_id))
    return found
