"""The connection to Postgres, and the only place that commits."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from app.errors import Unavailable

#: No statement of Liftlock takes longer in health; waiting longer would only hide the trouble.
TIMEOUTS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}

#: SQLSTATEs that pass: a lock or statement timeout, a deadlock, a server that is full or stops.
_PASSING = frozenset({"40001", "40P01", "53300", "55P03", "57014", "57P01", "57P02", "57P03"})


#: Keys of `session.info`: what is to happen once the transaction is committed.
_AFTERWARDS, _TOPICS = "afterwards", "topics"

Afterwards = Callable[[], Awaitable[object]]
Announce = Callable[[Collection[str]], None]


class Database:
    """A pool of connections. `transaction()` commits at its end, or rolls back on an error."""

    def __init__(
        self, url: str, *, role: str = "api", pool_size: int = 8, announce: Announce | None = None
    ) -> None:
        """`announce` is told after each commit which topics have news."""
        self._announce = announce
        self._unit: ContextVar[AsyncSession | None] = ContextVar("unit", default=None)
        self._engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=4,
            pool_pre_ping=True,
            connect_args={
                "timeout": 5,
                "server_settings": {"application_name": f"liftlock-{role}", **TIMEOUTS},
            },
        )
        self._sessions = async_sessionmaker(
            self._engine, class_=AsyncSession, expire_on_commit=False
        )

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
            async with unit.begin_nested():
                yield unit

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
        with _outages():
            async with self._sessions() as session, session.begin():
                yield session
        if self._announce is not None and (topics := session.info.get(_TOPICS)):
            self._announce(topics)
        for action in session.info.get(_AFTERWARDS, ()):
            await action()

    async def close(self) -> None:
        await self._engine.dispose()


def after_commit(session: AsyncSession, action: Afterwards) -> None:
    """Do it once what the session wrote is committed; never when it is rolled back."""
    session.info.setdefault(_AFTERWARDS, []).append(action)


def announce(session: AsyncSession, topic: str) -> None:
    """Tell whoever waits for news of the topic, once they are committed."""
    session.info.setdefault(_TOPICS, set()).add(topic)


@contextmanager
def _outages() -> Iterator[None]:
    """What the driver says when the server is away, as Unavailable."""
    try:
        yield
    except (OSError, InterfaceError, PoolTimeout) as error:
        raise _unavailable(error) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # Only connecting raises the driver's own errors; statements raise DBAPIError.
        raise _unavailable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "sqlstate", "") in _PASSING:
            raise _unavailable(error) from error
        raise


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(
        f"PostgreSQL does not answer ({type(error).__name__}).",
        hint="Look at GET /readyz and at the database's own log, then repeat the request.",
    )
