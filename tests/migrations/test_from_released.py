"""From the schema of the first release, with data and under load, and back."""

import asyncio
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import asyncpg
import pytest

from app.models.base import new_id
from app.store import schema

RELEASED = "1382d48758b5"
#: A statement that waits longer than this while the schema changes would be noticed.
LONGEST = 2.0

# As the first release writes them.
HOST = """
    INSERT INTO hosts (id, created_at, updated_at, version, name, address, port, username, base_dir,
        sudo, supervisor, supervisor_options, labels, capacity, port_first, port_last, next_port,
        status)
    VALUES ($1, now(), now(), 1, $2, 'h', 22, 'u', 'liftlock', false, 'none', '{}', '{}', 2, 1, 2,
        1, 'ready')
"""
JOB = """
    INSERT INTO jobs (id, created_at, kind, status, host_id, params, dry_run, priority, attempt,
        lost_workers, blocked_by, last_seq, plan, facts)
    VALUES ($1, now(), 'enroll', $3, $2, '{}', false, 0, 1, 0, '[]', 0, 'null', 'null')
"""
CLAIM = """
    UPDATE jobs SET attempt = attempt + 1, worker = 'w', status = 'running',
        lease_until = clock_timestamp() + interval '15 s', started_at = clock_timestamp()
    WHERE id = $1 AND status IN ('queued', 'blocked') RETURNING id
"""
APPEND = """
    WITH job AS (
        UPDATE jobs SET last_seq = last_seq + cardinality($3::text[])
        WHERE id = $1 AND ($2::int IS NULL OR (attempt = $2 AND status = 'running'))
        RETURNING last_seq
    )
    INSERT INTO events (job_id, seq, at, type, data)
    SELECT $1, last_seq - cardinality($3::text[]) + n, clock_timestamp(), type, data::jsonb
    FROM job, unnest($3::text[], $4::text[]) WITH ORDINALITY AS new (type, data, n)
    RETURNING seq
"""
TOKEN = """
    INSERT INTO locks (name, token, holder_job, holder_attempt, acquired_at)
    SELECT 'instance:' || id, 1, id, attempt, clock_timestamp() FROM jobs WHERE id = $1
    ON CONFLICT (name) DO UPDATE SET token = locks.token + 1, holder_job = excluded.holder_job
    RETURNING token
"""
STEP = """
    INSERT INTO steps (job_id, number, name, title, status, attempt, facts, started_at)
    SELECT id, 1, 'a', 'A', 'running', attempt, '{}', clock_timestamp() FROM jobs WHERE id = $1
    ON CONFLICT (job_id, number) DO UPDATE SET status = 'running', attempt = excluded.attempt
    RETURNING number
"""
SETTLE = """
    UPDATE jobs SET status = 'succeeded', finished_at = clock_timestamp(), lease_until = NULL,
        worker = NULL, blocked_by = '[]' WHERE id = $1 AND status = 'running' RETURNING id
"""
READ = "SELECT seq, type, data FROM events WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT 100"


@pytest.fixture
def released(postgres_server):
    """The URL of a database at the released schema."""
    name = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    url = postgres_server.create(name)
    schema.upgrade(url, RELEASED)
    yield url
    postgres_server.drop(name)


async def _connect(url):
    connection = await asyncpg.connect(url.replace("+asyncpg", "", 1))
    await connection.execute("SET lock_timeout = '2s'; SET statement_timeout = '5s'")
    return connection


async def _add_job(connection, *, status="running"):
    host_id, job_id = uuid4(), new_id()
    await connection.execute(HOST, host_id, host_id.hex)
    await connection.execute(JOB, job_id, host_id, status)
    return job_id


async def _append(connection, job_id, *texts):
    datas = [json.dumps({"text": text}) for text in texts]
    types = ["step.output"] * len(texts)
    assert len(await connection.fetch(APPEND, job_id, None, types, datas)) == len(texts)


async def _read(connection, job_id):
    rows = await connection.fetch(READ, job_id, 0)
    return [(row["seq"], json.loads(row["data"])["text"]) for row in rows]


async def _elsewhere(change, url, *revision):
    """Alembic has a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        await asyncio.get_running_loop().run_in_executor(thread, change, url, *revision)


async def test_jobs_and_their_events_go_forward_and_back(released):
    connection = await _connect(released)
    job_id = await _add_job(connection)
    await _append(connection, job_id, "one", "two")
    await _elsewhere(schema.upgrade, released)
    assert await _read(connection, job_id) == [(1, "one"), (2, "two")]
    await _append(connection, job_id, "three")
    await _elsewhere(schema.check, released)
    await _elsewhere(schema.downgrade, released, RELEASED)
    assert await _read(connection, job_id) == [(1, "one"), (2, "two"), (3, "three")]
    assert await connection.fetchval("SELECT relkind = 'r' FROM pg_class WHERE relname = 'events'")
    await connection.close()


async def test_the_statements_of_the_previous_release_work_on_the_new_schema(released):
    await _elsewhere(schema.upgrade, released)
    connection = await _connect(released)
    job_id = await _add_job(connection, status="queued")
    await _append(connection, job_id, "one")
    for statement in (CLAIM, TOKEN, STEP, SETTLE):
        assert await connection.fetch(statement, job_id)
    assert await _read(connection, job_id) == [(1, "one")]
    await connection.close()


async def _load(url, stop):
    """Appends and reads until it is told to stop: the job, how often, the longest turn."""
    connection, loop = await _connect(url), asyncio.get_running_loop()
    job_id, count, slowest = await _add_job(connection), 0, 0.0
    while not stop.is_set():
        began, count = loop.time(), count + 1
        await _append(connection, job_id, str(count))
        await connection.fetch(READ, job_id, count - 1)
        slowest = max(slowest, loop.time() - began)
    await connection.close()
    return job_id, count, slowest


async def _busy(connection, *, events):
    """Wait until there are so many events more."""
    seen = await connection.fetchval("SELECT count(*) FROM events")
    while await connection.fetchval("SELECT count(*) FROM events") < seen + events:
        pass


async def test_who_writes_and_reads_while_the_schema_changes_waits_a_moment_and_meets_no_error(
    released,
):
    stop, connection = asyncio.Event(), await _connect(released)
    async with asyncio.timeout(50), asyncio.TaskGroup() as group:
        tasks = [group.create_task(_load(released, stop)) for _ in range(4)]
        await _busy(connection, events=40)
        await _elsewhere(schema.upgrade, released)
        await _busy(connection, events=40)
        stop.set()
    for job_id, count, slowest in (task.result() for task in tasks):
        rows = await connection.fetch("SELECT seq FROM events WHERE job_id = $1", job_id)
        assert sorted(row["seq"] for row in rows) == list(range(1, count + 1))
        assert slowest < LONGEST
    await connection.close()
