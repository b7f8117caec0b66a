"""Whether the parts behind the API answer."""

from functools import cache

from app import store
from app.errors import Unavailable
from app.gateways.queue import JobQueue
from app.store.database import Database

OK = "ok"

#: The answer never changes for a revision, and comes from files.
_is_behind = cache(store.schema.is_behind)


async def check(db: Database, queue: JobQueue) -> dict[str, str]:
    """Each part by name: `ok`, or what is wrong with it."""
    return {
        "database": await database(db),
        "redis": OK if await queue.ping() else "Redis does not answer, or takes no writes",
    }


async def database(db: Database) -> str:
    """`ok`, or what is wrong with Postgres or its schema."""
    try:
        async with db.transaction() as session:
            current = await store.schema.current(session)
    except Unavailable as error:
        return error.detail
    if _is_behind(current):
        found = current or "nothing"
        return f"the schema is at {found}, not at {store.schema.head()}; run: liftlock db upgrade"
    return OK
