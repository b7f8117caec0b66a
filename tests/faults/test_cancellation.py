"""A task that is cancelled while it talks to Postgres ends; nothing takes it for an outage."""

import asyncio

import pytest
from sqlalchemy import text

from app.store.database import Database

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)


async def look(db):
    async with db.transaction() as session:
        connection = await session.connection()
        await connection.execute(text("SELECT 1"))


async def test_cancelled_at_any_moment_of_a_transaction(database_url):
    """Cancelled after one more turn of the event loop each time, until it is done before."""
    for turns in range(1, 500):
        db = Database(database_url, pool_size=1)
        await look(db)
        task = asyncio.create_task(look(db))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_done = task.done()
        task.cancel()
        await asyncio.wait({task})
        await db.close()
        if was_done:
            return
        assert task.cancelled(), f"after {turns} turns: {task.exception()!r}"
