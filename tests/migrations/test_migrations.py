"""The schema and its history: both ways, and equal to the models."""

import asyncio
import secrets

import pytest
from sqlalchemy import text

from app.store import schema
from app.store.database import Database


@pytest.fixture
def empty_database(postgres_server):
    name = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    yield postgres_server.create(name)
    postgres_server.drop(name)


def test_forward_backward_forward_leaves_the_newest_schema(empty_database):
    schema.upgrade(empty_database)
    schema.downgrade(empty_database, "base")
    assert _tables(empty_database) == {"alembic_version"}
    schema.upgrade(empty_database)
    assert _current(empty_database) == schema.head()


def test_models_and_schema_agree(database_url):
    schema.check(database_url)


def test_an_upgrade_run_twice_changes_nothing(database_url):
    before = _tables(database_url)
    schema.upgrade(database_url)
    assert _tables(database_url) == before


def test_a_database_that_was_never_migrated_has_no_revision(empty_database):
    assert _current(empty_database) is None


def _tables(url):
    return set(_query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))


def _query(url, statement):
    async def run():
        database = Database(url)
        async with database.transaction() as session:
            connection = await session.connection()
            rows = (await connection.execute(text(statement))).scalars().all()
        await database.close()
        return rows

    return asyncio.run(run())


def _current(url):
    async def run():
        database = Database(url)
        async with database.transaction() as session:
            revision = await schema.current(session)
        await database.close()
        return revision

    return asyncio.run(run())
