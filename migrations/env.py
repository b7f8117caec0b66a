"""Runs the migrations: one transaction, one runner at a time, never waiting long for a lock."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import app.models  # noqa: F401  (registers the tables)

#: A migration that cannot get its table lock soon must fail, not queue all traffic behind it.
TIMEOUTS = {"lock_timeout": "4s", "statement_timeout": "60s"}
#: Any number does, as long as every runner uses the same.
ADVISORY_LOCK = 7_305_011


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_server_default=True,
        include_object=_is_declared,
    )
    with context.begin_transaction():
        # Inside the transaction: an advisory lock taken before it makes Alembic roll back.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        context.run_migrations()


def _is_declared(
    thing: object,
    name: str | None,
    kind: str,
    reflected: bool,  # noqa: FBT001 - Alembic's signature
    compare_to: object,
) -> bool:
    """The events' monthly parts are made as time goes by; the models know only the whole."""
    del compare_to
    table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", "")
    return not (reflected and str(table).startswith("events_"))


async def _online() -> None:
    url = context.config.attributes.get("url") or os.environ["LIFTLOCK_DATABASE_URL"]
    engine = create_async_engine(
        url, poolclass=NullPool, connect_args={"server_settings": TIMEOUTS}
    )
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


asyncio.run(_online())
