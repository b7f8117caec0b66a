"""The connection to Postgres, and the only place that commits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


class Database:
    """A pool of connections. `transaction()` commits at its end, or rolls back on an error."""

    def __init__(self, url: str, *, role: str = "api", pool_size: int = 8) -> None:
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
        """One transaction; raises Unavailable when Postgres cannot be reached."""
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except (OSError, InterfaceError, PoolTimeout) as error:
            raise _unavailable(error) from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Only connecting raises the driver's own errors; statements raise DBAPIError.
            raise _unavailable(error) from error
        except DBAPIError as error:
            if error.connection_invalidated or getattr(error.orig, "sqlstate", "") in _PASSING:
                raise _unavailable(error) from error
            raise

    async def close(self) -> None:
        await self._engine.dispose()


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(
        f"PostgreSQL does not answer ({type(error).__name__}).",
        hint="Look at GET /readyz and at the database's own log, then repeat the request.",
    )
