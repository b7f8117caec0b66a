import asyncio
import time
from uuid import UUID

import pytest

from app import services, store
from app.domain.job import JobKind, JobStatus
from app.errors import EventsExpired, NotFound, Unavailable
from app.services.streams import Streams
from app.store.database import Database
from tests.support import factories, worked

NOBODY = UUID("0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11")


@pytest.fixture
async def job(db, queue, vault):
    await factories.add_host(db)
    view = await factories.request(
        db, queue, vault, kind=JobKind.ENROLL, instance=None, host="alpha"
    )
    return view.job


@pytest.fixture
async def announcing(database_url, wakeups):
    """A database whose commits this process hears of, as if Redis told it."""

    def tell(topics):
        for topic in topics:
            wakeups.wake(topic)

    database = Database(database_url, announce=tell)
    yield database
    await database.close()


async def numbers(db, job, **which):
    found = await services.events.read(db, job.id, **{"after": 0, "limit": 500, **which})
    return [event.seq for event in found.items]


async def followed(db, streams, job, *, after=0):
    """Every number that a stream gives until the job is over."""
    seen = []
    with streams.open(job.id, NOBODY) as stream:
        async for found in services.events.follow(db, stream, job.id, after=after):
            seen += [event.seq for event in found.items] if found else []
    return seen


async def test_events_are_read_behind_a_number_and_up_to_a_limit(db, job):
    await worked.tell(db, job.id, *"abc")
    assert await numbers(db, job) == [1, 2, 3, 4]
    assert await numbers(db, job, after=1, limit=2) == [2, 3]
    assert await numbers(db, job, after=4) == []
    assert await numbers(db, job, after=99) == []


async def test_nothing_is_read_while_the_last_event_is_the_known_one(db, job):
    assert await numbers(db, job, known=1) == []
    assert await numbers(db, job, known=7) == [1]


async def test_events_of_a_job_that_does_not_exist_are_not_found(db):
    with pytest.raises(NotFound):
        await services.events.read(db, NOBODY, after=0, limit=1)


async def test_events_that_were_removed_are_told_from_events_that_never_were(db, job):
    await worked.end(db, job.id)
    await forget_events(db, job)
    with pytest.raises(EventsExpired):
        await services.events.read(db, job.id, after=0, limit=1)
    assert (await services.events.read(db, job.id, after=2, limit=1)).is_over


async def test_a_wait_ends_with_the_next_event(db, announcing, wakeups, job):
    waiting = asyncio.create_task(waited(db, wakeups, job, after=1))
    await until_subscribed(wakeups)
    await worked.tell(announcing, job.id, "news")
    assert [event.seq for event in (await waiting).items] == [2]


async def test_news_between_the_look_and_the_waiting_is_not_missed(wakeups):
    looks = []

    async def look():
        looks.append(len(looks))
        if len(looks) == 1:
            # The first look has seen the old state; the news comes before anybody waits.
            wakeups.wake("a")
        return len(looks)

    started = time.monotonic()
    found = await services.waiting.until(
        wakeups, "a", look=look, enough=lambda count: count == 2, seconds=30
    )
    assert found == 2
    assert time.monotonic() - started < 10


async def test_a_wait_in_vain_ends_when_its_time_is_over(db, wakeups, job):
    found = await waited(db, wakeups, job, after=1, seconds=0.05)
    assert not found.items
    assert wakeups.topics == []


async def test_a_wait_for_a_job_that_has_ended_ends_at_once(db, wakeups, job):
    await worked.end(db, job.id)
    for known in (None, 2):
        found = await waited(db, wakeups, job, after=2, known=known)
        assert found.is_over
    assert (await waited(db, wakeups, job, after=0, known=2)).last_seq == 2


async def test_a_wait_ends_when_the_process_stops(db, wakeups, job):
    waiting = asyncio.create_task(waited(db, wakeups, job, after=1))
    await until_subscribed(wakeups)
    wakeups.stop()
    assert not (await waiting).items


async def test_without_any_wakeup_news_are_found_within_seconds(db, wakeups, job):
    looking = asyncio.create_task(services.events.look_around_forever(db, wakeups))
    waiting = asyncio.create_task(waited(db, wakeups, job, after=1))
    await until_subscribed(wakeups)
    await worked.tell(db, job.id, "news")
    started = time.monotonic()
    assert [event.seq for event in (await waiting).items] == [2]
    assert time.monotonic() - started < 10
    looking.cancel()


async def test_one_look_wakes_only_those_whose_job_has_news(db, wakeups, job):
    topic = store.events.topic(job.id)
    with wakeups.subscription(topic) as news, wakeups.subscription("ending:x"):
        seen = await services.events._look_around(db, wakeups, {})
        assert news.is_set()
        news.clear()
        seen = await services.events._look_around(db, wakeups, seen)
        assert not news.is_set()
        await worked.tell(db, job.id, "news")
        await services.events._look_around(db, wakeups, seen)
        assert news.is_set()


async def test_the_job_is_given_once_it_has_ended(db, announcing, wakeups, job):
    ending = asyncio.create_task(services.jobs.wait_until_ended(db, wakeups, job.id, 30))
    await until_subscribed(wakeups)
    await worked.tell(announcing, job.id, "not yet")
    await worked.end(announcing, job.id, status=JobStatus.FAILED)
    assert (await ending).job.status is JobStatus.FAILED
    view = await services.jobs.wait_until_ended(db, wakeups, job.id, 30)
    assert view.job.status is JobStatus.FAILED


async def test_a_job_that_goes_on_is_given_when_the_time_is_over(db, wakeups, job):
    view = await services.jobs.wait_until_ended(db, wakeups, job.id, 0.05)
    assert view.job.status is JobStatus.QUEUED


async def test_waiting_for_a_job_that_does_not_exist_is_not_found(db, wakeups):
    with pytest.raises(NotFound):
        await services.jobs.wait_until_ended(db, wakeups, NOBODY, 30)


async def test_many_writers_and_every_reader_sees_each_event_once_and_in_order(
    db, announcing, wakeups, job
):
    streams = Streams(wakeups)
    readers = [asyncio.create_task(followed(db, streams, job)) for _ in range(3)]
    polling = asyncio.create_task(polled(db, wakeups, job))

    async def write(number):
        for piece in range(5):
            await worked.tell(announcing, job.id, f"{number}.{piece}", "b")

    await asyncio.gather(*(write(number) for number in range(64)))
    await worked.end(announcing, job.id)
    expected = list(range(1, 1 + 64 * 10 + 1 + 1))
    assert await polling == expected
    for reader in readers:
        assert await reader == expected
    assert len(streams) == 0
    assert wakeups.topics == []


async def test_a_stream_of_a_job_that_has_ended_gives_everything_and_ends(db, wakeups, job):
    await worked.tell(db, job.id, *["x"] * 250)
    await worked.end(db, job.id)
    streams = Streams(wakeups)
    assert await followed(db, streams, job) == list(range(1, 253))
    assert await followed(db, streams, job, after=250) == [251, 252]
    assert await followed(db, streams, job, after=252) == []


async def test_a_stream_waits_for_a_database_that_is_away(postgres_server, db, wakeups, job):
    streams = Streams(wakeups)
    away = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    with streams.open(job.id, NOBODY) as stream:
        readings = services.events.follow(away, stream, job.id, after=0)
        assert await anext(readings) is None
        await readings.aclose()
    with pytest.raises(Unavailable):
        await services.events.read(away, job.id, after=0, limit=1)
    await away.close()


async def test_a_stream_ends_when_its_token_does(db, wakeups, job):
    streams = Streams(wakeups)
    lasting, _ = await services.tokens.create(db, name="lasting", scope="read")
    revoked, _ = await services.tokens.create(db, name="revoked", scope="read")
    with streams.open(job.id, lasting.id) as stays, streams.open(job.id, revoked.id) as ends:
        await services.tokens.revoke(db, revoked.id)
        await streams.end_without_token(db)
        assert (stays.is_over, ends.is_over) == (False, True)


async def test_there_is_room_for_so_many_streams(wakeups, job):
    streams = Streams(wakeups, most=1)
    streams.require_room()
    with streams.open(job.id, NOBODY), pytest.raises(Unavailable, match="1 streams"):
        streams.require_room()
    streams.require_room()


async def polled(db, wakeups, job):
    seen = []
    while True:
        found = await waited(db, wakeups, job, after=len(seen), limit=7)
        seen += [event.seq for event in found.items]
        if found.is_over:
            return seen


async def waited(db, wakeups, job, *, after, limit=500, known=None, seconds=30):
    return await services.events.wait(
        db, wakeups, job.id, after=after, limit=limit, known=known, seconds=seconds
    )


async def until_subscribed(wakeups):
    async with asyncio.timeout(10):
        while not wakeups.topics:
            await asyncio.sleep(0.005)


async def forget_events(db, job):
    """What retention does to a month, done to one job."""
    async with db.transaction() as session:
        await store.database.driver(session).execute("DELETE FROM events WHERE job_id = $1", job.id)
