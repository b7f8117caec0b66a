"""The connection to Postgres, and the only place that commits."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from app.errors import Unavailable

#: No statement of Liftlock takes longer in health; waiting longer would only hide the trouble.
TIMEOUTS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}

#: Seconds for an answer: the server's own timeouts do not help when the machine is silent.
_ANSWER = 7.0

#: SQLSTATEs that pass: a lock or statement timeout, a deadlock, a server that is full or stops.
_PASSING = frozenset({"40001", "40P01", "53300", "55P03", "57014", "57P01", "57P02", "57P03"})
#: The class of SQLSTATEs that say that the connection is gone.
_CONNECTION_LOST = "08"

#: Keys of `session.info`: asyncpg's connection; what is to happen once it is committed.
_DRIVER, _AFTERWARDS, _TOPICS = "driver", "afterwards", "topics"

Afterwards = Callable[[], Awaitable[object]]
Announce = Callable[[Collection[str]], None]


class Database:
    """A pool of connections. `transaction()` commits at its end, or rolls back on an error.

    The transaction is asyncpg's own. SQLAlchemy finds it begun and does not know that it can end:
    so plain SQL (`driver`) and the ORM write in one transaction, and the hot paths pay for
    nothing but their statements.
    """

    def __init__(
        self, url: str, *, role: str = "api", pool_size: int = 16, announce: Announce | None = None
    ) -> None:
        """`announce` is told after each commit which topics have news.

        Connections beyond `pool_size` are closed after use; opening one costs more than ten
        statements.
        """
        self._announce = announce
        self._unit: ContextVar[AsyncSession | None] = ContextVar("unit", default=None)
        self._engine = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=pool_size,
            max_overflow=4,
            pool_use_lifo=True,
            connect_args={
                "timeout": 5,
                "command_timeout": _ANSWER,
                "server_settings": {"application_name": f"liftlock-{role}", **TIMEOUTS},
            },
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction; raises Unavailable when Postgres cannot be reached.

        Inside `unit()` it is a part of the unit's transaction, and commits with it.
        """
        unit = self._unit.get()
        if unit is None:
            async with self._committed() as session:
                yield session
            return
        with _outages():
            async with driver(unit).transaction():
                try:
                    with _given_up(driver(unit)):
                        yield unit
                        if unit.in_transaction():
                            await unit.flush()
                except BaseException:
                    # The ORM forgets what it wrote since, as the savepoint does.
                    await unit.rollback()
                    raise

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncSession]:
        """For one statement of plain SQL that is a transaction by itself: one round trip.

        Inside `unit()` it is a part of the unit's transaction, and commits with it.
        """
        unit = self._unit.get()
        if unit is not None:
            yield unit
            return
        async with self._connected() as session:
            yield session
        await self._follow_up(session)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[AsyncSession]:
        """One transaction around several: all of them are committed, or none."""
        async with self._committed() as session:
            token = self._unit.set(session)
            try:
                yield session
            finally:
                self._unit.reset(token)

    @asynccontextmanager
    async def _committed(self) -> AsyncIterator[AsyncSession]:
        async with self._connected() as session, driver(session).transaction():
            try:
                with _given_up(driver(session)):
                    yield session
                    if session.in_transaction():
                        await session.commit()
            finally:
                if session.in_transaction():
                    await session.close()
                else:
                    session.expunge_all()
        await self._follow_up(session)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncSession]:
        connection = await self._connect()
        raw: Any = (await connection.get_raw_connection()).driver_connection
        try:
            with _outages():
                session = AsyncSession(connection, expire_on_commit=False)
                session.info[_DRIVER] = raw
                with _given_up(raw):
                    yield session
        finally:
            if not raw.is_closed() and raw.is_in_transaction():
                # Cancelled in the middle of its ROLLBACK: the next user must not go on in there.
                _drop(raw)
            await connection.close()

    async def _connect(self) -> AsyncConnection:
        try:
            return await self._engine.connect()
        except (
            *(OSError, PoolTimeout, DBAPIError),
            *(asyncpg.PostgresError, asyncpg.InterfaceError),
        ) as error:
            raise _unavailable(error) from error

    async def _follow_up(self, session: AsyncSession) -> None:
        if self._announce is not None and (topics := session.info.get(_TOPICS)):
            self._announce(topics)
        for action in session.info.get(_AFTERWARDS, ()):
            await action()

    async def close(self) -> None:
        await self._engine.dispose()


def driver(session: AsyncSession) -> "asyncpg.Connection[asyncpg.Record]":
    """The connection of asyncpg under the session, in the same transaction, for plain SQL."""
    found: asyncpg.Connection[asyncpg.Record] = session.info[_DRIVER]
    return found


def after_commit(session: AsyncSession, action: Afterwards) -> None:
    """Do it once what the session wrote is committed; never when it is rolled back."""
    session.info.setdefault(_AFTERWARDS, []).append(action)


def announce(session: AsyncSession, topic: str) -> None:
    """Tell whoever waits for news of the topic, once they are committed."""
    session.info.setdefault(_TOPICS, set()).add(topic)


def _refuse_closed(connection: Any, *_: object) -> None:
    """Take another connection from the pool, for free, instead of one that the server closed."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


@contextmanager
def _given_up(connection: Any) -> Iterator[None]:
    """Of no use to the next user: a server that gave no answer in time would give none to a
    ROLLBACK, and where a task was cancelled, half a conversation may be left.
    """
    try:
        yield
    except (TimeoutError, asyncio.CancelledError):
        _drop(connection)
        raise


def _drop(connection: Any) -> None:
    """Break the connection, and forget what could not be sent yet.

    The kernel would go on trying after the end of the connection, and a statement that was repeated
    elsewhere meanwhile would be carried out once more.
    """
    transport = connection._transport  # noqa: SLF001 - asyncpg shows its socket nowhere else
    if transport is not None and (found := transport.get_extra_info("socket")):
        with suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.terminate()


@contextmanager
def _outages() -> Iterator[None]:
    """What the driver says when the server is away, as Unavailable."""
    try:
        yield
    except asyncpg.DataError:
        # Also an asyncpg.InterfaceError: a value that does not fit its parameter.
        raise
    except (OSError, InterfaceError, asyncpg.InterfaceError) as error:
        raise _unavailable(error) from error
    except asyncpg.PostgresError as error:
        if _passes(error):
            raise _unavailable(error) from error
        raise
    except DBAPIError as error:
        if error.connection_invalidated or _passes(error.orig):
            raise _unavailable(error) from error
        raise


def _passes(error: object) -> bool:
    state = str(getattr(error, "sqlstate", None) or "")
    return state in _PASSING or state.startswith(_CONNECTION_LOST)


def _unavailable(error: Exception) -> Unavailable | asyncio.CancelledError:
    """The outage; or the cancellation that made the driver break its connection."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return asyncio.CancelledError()
    return Unavailable(
        f"PostgreSQL does not answer ({type(error).__name__}).",
        hint="Look at GET /readyz and at the database's own log, then repeat the request.",
    )
