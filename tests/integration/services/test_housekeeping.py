import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app import services, store
from app.domain.event import EventType
from app.domain.job import JobStatus
from app.errors import EventsExpired
from app.models import Answered
from app.store.database import driver
from tests.support import factories

KEPT = timedelta(days=90)


@pytest.fixture
async def job(db, queue, vault):
    await factories.add_site(db)
    return (await factories.request(db, queue, vault)).job


async def _tidy(db, *, days=0):
    """As it would be done in that many days."""
    now = datetime.now(UTC) + timedelta(days=days)
    return await services.housekeeping.tidy(db, events_kept=KEPT, now=now)


async def _parts(db):
    async with db.transaction() as session:
        return [part.name for part in await store.partitions.list_parts(session)]


async def _end(db, job):
    work = await services.work.look(db, job.id)
    claim = await services.claiming.claim(db, work, attempt=1, worker="w", lock_names=[])
    await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)


async def _execute(db, statement, *values):
    async with db.transaction() as session:
        return await driver(session).fetch(statement, *values)


async def test_the_months_that_the_migration_made_are_enough_at_first(db):
    assert (await _tidy(db)).made == ()


async def test_the_months_to_come_are_made_once(db):
    before = await _parts(db)
    made = (await _tidy(db, days=62)).made
    assert len(made) == 2
    assert (await _parts(db))[len(before) :] == [f"events_{m.replace('-', '_')}" for m in made]
    assert (await _tidy(db, days=62)).made == ()


async def test_made_parts_take_the_events_of_their_month(db):
    [month, *_] = (await _tidy(db, days=150)).made
    first = store.partitions.first_id(datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC))
    await _execute(
        db, "INSERT INTO events VALUES ($1, 1, clock_timestamp(), 'job.queued', '{}')", first
    )
    [row] = await _execute(
        db, "SELECT tableoid::regclass::text AS part FROM events WHERE job_id = $1", first
    )
    assert row["part"] == f"events_{month.replace('-', '_')}"


async def test_a_month_whose_events_lie_in_the_rest_stays_there_and_is_told(db):
    late = datetime.now(UTC) + timedelta(days=200)
    await _execute(
        db,
        "INSERT INTO events VALUES ($1, 1, clock_timestamp(), 'job.queued', '{}')",
        store.partitions.first_id(late),
    )
    done = await _tidy(db, days=200)
    assert f"{late:%Y-%m}" in done.in_rest
    assert len(done.made) == services.housekeeping.AHEAD


async def test_an_old_month_is_dropped_and_its_readers_are_told(db, job):
    await _end(db, job)
    assert (await _tidy(db, days=85)).dropped == ()
    assert "events_before" in (await _tidy(db, days=140)).dropped
    with pytest.raises(EventsExpired):
        await services.events.read(db, job.id, after=0, limit=10)
    assert (await services.jobs.get(db, job.id)).job.status is JobStatus.SUCCEEDED


async def test_a_month_with_an_unfinished_job_is_kept(db, job):
    done = await _tidy(db, days=140)
    assert "events_before" not in done.dropped
    assert await factories.event_types(db, job.id)


async def test_a_month_with_a_job_that_ended_lately_is_kept(db, job):
    await _end(db, job)
    await _execute(db, "UPDATE jobs SET finished_at = $1", datetime.now(UTC) + timedelta(days=120))
    assert "events_before" not in (await _tidy(db, days=140)).dropped


async def test_old_events_of_the_rest_are_deleted(db, job):
    await _end(db, job)
    await _execute(db, "ALTER TABLE events DETACH PARTITION events_before")
    await _execute(db, "INSERT INTO events SELECT * FROM events_before")
    assert (await _tidy(db, days=80)).events == 0
    assert (await _tidy(db, days=100)).events > 0
    assert await _execute(db, "SELECT 1 FROM events_rest") == []


async def test_answers_are_kept_for_a_day(db):
    times = {"young": timedelta(hours=23), "old": timedelta(hours=25)}
    async with db.transaction() as session:
        for key, age in times.items():
            answered = Answered(
                actor="a",
                key=key,
                fingerprint=b"",
                status=202,
                body=b"",
                created_at=datetime.now(UTC) - age,
            )
            await store.idempotency.add(session, answered)
    assert (await _tidy(db)).answers == 1
    assert [row["key"] for row in await _execute(db, "SELECT key FROM idempotency")] == ["young"]


async def test_while_another_process_does_it_nothing_is_done(db):
    async with db.transaction() as session:
        assert await store.partitions.try_lock(session)
        done = await _tidy(db, days=200)
    assert (done.made, done.dropped) == ((), ())


async def test_many_at_once_make_each_month_once(db):
    done = await asyncio.gather(*(_tidy(db, days=200) for _ in range(4)))
    made = [month for one in done for month in one.made]
    assert sorted(made) == sorted(set(made))


async def test_readers_and_writers_meet_no_error_while_months_are_made_and_dropped(
    db, queue, vault
):
    await factories.add_site(db)
    await _execute(db, "DROP TABLE events_before")
    assert (await _tidy(db)).made
    written, read, stop = 0, 0, asyncio.Event()
    busy = (await factories.request(db, queue, vault)).job

    async def write():
        nonlocal written
        while not stop.is_set():
            async with db.transaction() as session:
                await store.events.append(session, busy.id, (EventType.STEP_OUTPUT, {}))
            written += 1

    async def look():
        nonlocal read
        while not stop.is_set():
            await services.events.read(db, busy.id, after=0, limit=5)
            read += 1

    async def change():
        for _ in range(10):
            async with db.transaction() as session:
                [*_, last] = await store.partitions.list_parts(session)
                await store.partitions.drop(session, last)
            assert (await _tidy(db)).made
        stop.set()

    async with asyncio.timeout(50):
        await asyncio.gather(write(), look(), change())
    assert min(written, read) > 0
