"""Extensions go back to the release before them: what serves stays, and what is new goes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.extension import ExtensionStatus
from app.domain.extension_host import ExtensionHostStatus
from app.domain.job import JobKind, JobStatus
from app.models import Package
from app.store import schema
from tests.support import factories, worked

#: The last one before.
BEFORE = "f93b6d20c581"
TABLES = {"extensions", "extension_hosts", "packages"}


async def _elsewhere(change, url, *revision):
    """Alembic has a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        await asyncio.get_running_loop().run_in_executor(thread, change, url, *revision)


@pytest.fixture
async def connection(database_url):
    made = await asyncpg.connect(database_url.replace("+asyncpg", "", 1), statement_cache_size=0)
    yield made
    await made.close()


@pytest.fixture
async def filled(db):
    """An instance whose second app server took the place of the first, and a third is on its way.

    An installation made each of them; the last one has not ended.
    """
    host, instance = await factories.add_site(db)
    old = await factories.add_app_server(db, instance, host)
    made = {"extensions": [{"name": "stars"}], "takes_over_id": old.id, "port": old.port}
    new = await factories.add_app_server(db, instance, host, is_active=True, **made)
    building = AppServerStatus.CONFIGURING
    third = await factories.add_app_server(db, instance, host, status=building, **made)
    async with db.transaction() as session:
        for one, status in ((new, JobStatus.SUCCEEDED), (third, JobStatus.QUEUED)):
            job = await store.jobs.get(session, one.job_id)
            job.kind, job.status, job.params = "install", status, {"extension": {"package": "x"}}
            session.add(job)
    await worked.tell(db, new.job_id, "installed")
    await worked.begin(db, str(third.job_id))
    async with db.transaction() as session:
        row = await store.extensions.put(
            session,
            instance.id,
            name="stars",
            source={"package": "stars", "version": "1.0"},
            version="1.0",
            settings={},
            requires=(),
            status=ExtensionStatus.ENABLED,
            job_id=new.job_id,
        )
        await store.extensions.keep_host(
            session,
            row.id,
            host.id,
            stamp="1.0",
            status=ExtensionHostStatus.INSTALLED,
            error=None,
            app_server_id=new.id,
        )
        look = store.jobs.new(
            kind=JobKind.INSPECT,
            status=JobStatus.SUCCEEDED,
            instance_id=instance.id,
            host_id=host.id,
            recipe_id=instance.recipe_id,
            params={"instance": instance.name},
        )
        await store.jobs.add(session, look, (EventType.JOB_SUCCEEDED, {}))
        wheel = {"filename": "s.whl", "name": "s", "version": "1", "size": 1, "content": b"1"}
        await store.packages.add(session, Package(sha256="a" * 64, **wheel))
    await db.close()


async def _tables(connection):
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in found}


async def test_app_servers_stay_and_each_has_its_port_alone(database_url, connection, filled):
    await _elsewhere(schema.downgrade, database_url, BEFORE)
    rows = await connection.fetch("SELECT status, is_active FROM app_servers ORDER BY number")
    assert [tuple(row) for row in rows] == [
        ("failed", False),
        ("running", True),
        ("failed", False),
    ]
    assert not TABLES & await _tables(connection)


async def test_nothing_is_left_that_the_release_before_cannot_read(
    database_url, connection, filled
):
    await _elsewhere(schema.downgrade, database_url, BEFORE)
    jobs = await connection.fetch("SELECT kind, status, lease_until FROM jobs ORDER BY sequence")
    assert [tuple(row) for row in jobs] == [
        ("provision", "succeeded", None),
        ("provision", "succeeded", None),
        ("provision", "canceled", None),
    ]
    for table in ("events", "steps"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_forward_again_it_is_whole_and_knows_no_extensions(database_url, connection, filled):
    await _elsewhere(schema.downgrade, database_url, BEFORE)
    await _elsewhere(schema.upgrade, database_url)
    await _elsewhere(schema.check, database_url)
    rows = await connection.fetch("SELECT extensions, takes_over_id FROM app_servers")
    assert {tuple(row) for row in rows} == {("[]", None)}
    for table in TABLES:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_the_release_before_can_forget_an_instance_that_has_extensions(
    database_url, connection, filled
):
    """It knows neither the tables nor the column, and may still run beside this one."""
    await connection.execute("UPDATE app_servers SET status = 'terminated', is_active = false")
    await connection.execute("DELETE FROM app_servers")
    await connection.execute("UPDATE jobs SET instance_id = NULL")
    await connection.execute("DELETE FROM instances")
    assert await connection.fetchval("SELECT count(*) FROM extensions") == 0
    assert await connection.fetchval("SELECT count(*) FROM extension_hosts") == 0
