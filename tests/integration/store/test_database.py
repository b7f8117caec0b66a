import asyncio
from datetime import timedelta

import asyncpg
import pytest

from app import store
from app.domain.event import EventType
from app.domain.job import JobKind
from app.errors import Unavailable
from app.models import Host, Job
from app.store.database import Database, after_commit, announce, driver
from tests.support import factories

COUNT = "SELECT count(*) FROM hosts"
ADD = "INSERT INTO locks (name, token) VALUES ($1, 0)"
NAMES = "SELECT array_agg(name ORDER BY name) FROM locks"


class Broken(Exception):
    pass


async def _add_host(session):
    return await store.hosts.add(session, Host(name="a", address="h", username="u"))


async def _value(db, statement, *values):
    async with db.statement() as session:
        return await driver(session).fetchval(statement, *values)


async def _fail(db, name, **told):
    """A transaction of both kinds of statements that does not come to its end."""
    async with db.transaction() as session:
        await _add_host(session)
        await driver(session).execute(ADD, name)
        if told:
            announce(session, told["topic"])
            after_commit(session, told["action"])
        raise Broken


async def _fail_as_unit(db, name):
    async with db.unit():
        await _value(db, f"{ADD} RETURNING name", name)
        raise Broken


async def test_objects_and_plain_sql_see_each_other_and_are_committed_together(db):
    async with db.transaction() as session:
        host = await _add_host(session)
        assert await driver(session).fetchval(COUNT) == 1
        await driver(session).execute("UPDATE hosts SET capacity = 9")
        await session.refresh(host)
        assert host.capacity == 9
    assert await _value(db, COUNT) == 1


async def test_an_error_takes_back_what_both_wrote(db):
    with pytest.raises(Broken):
        await _fail(db, "a")
    assert (await _value(db, COUNT), await _value(db, NAMES)) == (0, None)


async def test_an_object_can_be_changed_in_a_later_transaction(db):
    async with db.transaction() as session:
        host = await _add_host(session)
    async with db.transaction() as session:
        host.capacity = 7
        await store.hosts.touch(session, host)
    assert await _value(db, "SELECT capacity FROM hosts") == 7


async def test_a_unit_commits_its_parts_together_or_not_at_all(db):
    async with db.unit():
        with pytest.raises(Broken):
            await _fail(db, "lost")
        async with db.transaction() as session:
            await driver(session).execute(ADD, "kept")
        await _value(db, f"{ADD} RETURNING name", "also")
    assert await _value(db, NAMES) == ["also", "kept"]
    assert await _value(db, COUNT) == 0
    with pytest.raises(Broken):
        await _fail_as_unit(db, "never")
    assert await _value(db, NAMES) == ["also", "kept"]


async def test_a_connection_that_the_server_closed_is_replaced_without_an_error(db):
    own = await _value(db, "SELECT pg_backend_pid()")
    assert await _value(db, "SELECT pg_backend_pid()") == own
    other = Database(db._engine.url.render_as_string(hide_password=False), pool_size=1)
    await _value(other, "SELECT pg_terminate_backend($1, 5000)", own)
    await other.close()
    async with asyncio.timeout(10):
        assert await _value(db, "SELECT pg_backend_pid()") != own


async def test_a_cancelled_transaction_leaves_neither_rows_nor_an_open_transaction(db):
    started = asyncio.Event()

    async def work():
        async with db.transaction() as session:
            await driver(session).execute(ADD, "a")
            started.set()
            await driver(session).execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.statement() as session:
        assert not driver(session).is_in_transaction()
    assert await _value(db, NAMES) is None


async def test_a_lock_that_is_not_given_up_is_an_outage(db):
    await _value(db, f"{ADD} RETURNING name", "a")
    async with db.transaction() as session:
        await driver(session).execute("SELECT 1 FROM locks FOR UPDATE")
        with pytest.raises(Unavailable):
            async with db.transaction() as other:
                await driver(other).execute("SELECT 1 FROM locks FOR UPDATE NOWAIT")


@pytest.mark.parametrize(("statement", "value"), [("SELECT $1::int", "text"), ("SELECT 1/$1", 0)])
async def test_a_mistake_of_ours_is_not_called_an_outage(db, statement, value):
    with pytest.raises((asyncpg.PostgresError, asyncpg.exceptions.DataError)):
        await _value(db, statement, value)


async def test_news_are_told_after_the_commit_and_never_without_one(database_url):
    told = []
    db = Database(database_url, pool_size=2, announce=lambda topics: told.extend(sorted(topics)))

    async def action():
        told.append(await _value(db, NAMES))

    with pytest.raises(Broken):
        await _fail(db, "lost", topic="never", action=action)
    async with db.transaction() as session:
        await driver(session).execute(ADD, "a")
        announce(session, "events")
        after_commit(session, action)
        assert told == []
    assert told == ["events", ["a"]]
    await db.close()


async def test_a_row_that_plain_sql_writes_is_the_one_that_the_orm_reads(db):
    host = await factories.add_host(db)
    told = (EventType.JOB_QUEUED, {"kind": "enroll"})
    async with db.transaction() as session:
        made = store.jobs.new(kind=JobKind.ENROLL, host_id=host.id, params={"a": [1]}, priority=3)
        await store.jobs.add(session, made, told)
    async with db.transaction() as session:
        read = await store.jobs.get(session, made.id)
    assert read.model_dump() == made.model_dump()
    assert read.sequence is not None
    assert await factories.event_types(db, made.id) == [EventType.JOB_QUEUED]


def test_a_new_object_has_the_defaults_that_its_model_gives():
    made = store.jobs.new(kind=JobKind.ENROLL).model_dump()
    same = {"id": made["id"], "created_at": made["created_at"]}
    assert made == {**Job(kind=JobKind.ENROLL).model_dump(), **same}


async def test_rows_of_plain_sql_are_the_objects_that_the_orm_reads(db):
    host = await factories.add_host(db)
    async with db.transaction() as session:
        job = await store.jobs.add(session, Job(kind=JobKind.ENROLL, host_id=host.id))
    async with db.transaction() as session:
        claimed = await store.attempts.claim(
            session, job.id, attempt=1, worker="w", lease=timedelta(seconds=9)
        )
    async with db.transaction() as session:
        read = await store.jobs.get(session, job.id)
    assert claimed.job.model_dump() == read.model_dump()
