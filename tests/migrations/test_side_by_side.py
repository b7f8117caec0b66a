"""Routers, activations and machines go back to the release before them, with rows, and return."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.host import HostStatus
from app.models import Machine
from app.models.base import utc_now
from app.store import schema
from tests.support import factories, worked

#: The last one before.
BEFORE = "b41d7c0e92fa"
NEW_KINDS = ("activate", "deactivate", "terminate", "route")
#: Every empty place of a row is filled by its type, so that each column has something to lose.
VALUES = {
    "timestamp with time zone": "now()",
    "character varying": "'x'",
    "jsonb": "'{}'",
    "integer": "1",
    "bigint": "1",
}
COLUMNS = """
    SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' AND is_nullable = 'YES' AND table_name = ANY($1)
"""
TABLES = ("hosts", "instances", "app_servers", "routers", "machines")


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
async def filled(db, connection):
    """An instance behind a router with two app servers, machines, and jobs of every kind."""
    host, instance = await factories.add_site(db)
    await factories.add_host(db, name="made", status=HostStatus.MAKING)
    router = await factories.add_router(db, host)
    await factories.change(db, instance, router_id=router.id, retention_days=2)
    servers = [await factories.add_app_server(db, instance, host) for _ in range(2)]
    await factories.change(db, servers[0], is_active=True, activated_at=utc_now())
    await factories.change(db, servers[1], status=AppServerStatus.TERMINATED)
    async with db.transaction() as session:
        session.add(Machine(tag="ll-1", provider="cloud", host_id=host.id, wanted={"labels": []}))
        rows = {}
        for kind in NEW_KINDS:
            values = {"instance_id": instance.id, "host_id": host.id, "recipe_id": None}
            params = {"instance": "shop", "host": "alpha"}
            row = store.jobs.new(kind=kind, params=params, **values)
            rows[kind] = await store.jobs.add(session, row)
        rows["route"].retry_of = rows["activate"].id
    for row in rows.values():
        await worked.tell(db, row.id, "switched")
        await worked.begin(db, str(row.id))
    for row in await connection.fetch(COLUMNS, list(TABLES)):
        table, column, value = row["table_name"], row["column_name"], VALUES.get(row["data_type"])
        if value:
            await connection.execute(
                f"UPDATE {table} SET {column} = {value} WHERE {column} IS NULL"
            )
    await db.close()


async def _names(connection, table):
    return {row["name"] for row in await connection.fetch(f"SELECT name FROM {table}")}


async def _tables(connection):
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in found}


async def test_what_the_release_before_knows_is_kept_and_the_rest_goes(
    database_url, connection, filled
):
    await _elsewhere(schema.downgrade, database_url, BEFORE)
    assert await _names(connection, "hosts") == {"alpha", "made"}
    assert await _names(connection, "instances") == {"shop"}
    assert await _names(connection, "app_servers") == {"AppServer 1", "AppServer 2"}
    assert await connection.fetchval("SELECT name FROM app_servers WHERE is_active") == (
        "AppServer 1"
    )
    assert not {"routers", "machines", "left_routes"} & await _tables(connection)


async def test_nothing_is_left_that_the_release_before_cannot_read(
    database_url, connection, filled
):
    await _elsewhere(schema.downgrade, database_url, BEFORE)
    kinds = await connection.fetch("SELECT DISTINCT kind FROM jobs")
    assert {row["kind"] for row in kinds} == {"provision"}
    states = await connection.fetch("SELECT DISTINCT status FROM hosts")
    assert {row["status"] for row in states} <= {"ready", "cordoned"}
    assert await connection.fetchval("SELECT count(*) FROM events") == 0


async def test_forward_again_it_is_whole_and_old_app_servers_stand_for_themselves(
    database_url, connection, filled
):
    await _elsewhere(schema.downgrade, database_url, BEFORE)
    await _elsewhere(schema.upgrade, database_url)
    await _elsewhere(schema.check, database_url)
    rows = await connection.fetch("SELECT job_id, deployment_id, address FROM app_servers")
    assert [row["deployment_id"] for row in rows] == [row["job_id"] for row in rows]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    [instance] = await connection.fetch("SELECT * FROM instances")
    assert (instance["target_count"], instance["router_id"]) == (1, None)
    # Nobody asked for them to be removed.
    assert instance["retention_days"] is None
