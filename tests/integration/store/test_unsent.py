"""A statement that was given up is not carried out later, by a network that has come back."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import make_url

from app.errors import Unavailable
from app.store.database import Database, driver

#: More than the buffers of both ends hold: what is left over waits in the kernel of the sender.
LARGE = "x" * 48_000_000


class Deaf:
    """A way to Postgres that hands everything on, until it is told to hear nothing more."""

    def __init__(self, url):
        self._url = make_url(url)
        self._deaf = asyncio.Event()
        self._hears = asyncio.Event()
        self.unheard: asyncio.Future = asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def database(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = self._url.set(host="127.0.0.1", port=port, query={})
        database = Database(url.render_as_string(hide_password=False), pool_size=1)
        async with server:
            yield database
            await database.close()

    def stop_hearing(self):
        self._deaf.set()

    def hear_again(self):
        self._hears.set()

    async def _serve(self, reader, writer):
        host = self._url.query.get("host") or self._url.host
        port = self._url.port or 5432
        if host.startswith("/"):
            up, out = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            up, out = await asyncio.open_connection(host, port)
        back = asyncio.create_task(_pump(up, writer))
        while not self._deaf.is_set() and (data := await reader.read(65_536)):
            out.write(data)
        await self._hears.wait()
        with suppress(asyncio.InvalidStateError):
            self.unheard.set_result(await _rest(reader))
        back.cancel()
        for end in (out, writer):
            end.close()


async def _pump(reader, writer):
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)


async def _rest(reader):
    """How many bytes still come; None when the connection was broken."""
    size = 0
    try:
        while data := await reader.read(1 << 20):
            size += len(data)
    except ConnectionResetError:
        return None
    return size


async def test_what_was_not_sent_when_it_was_given_up_is_never_sent(database_url):
    way = Deaf(database_url)
    async with way.database() as database:
        async with database.statement() as session:
            await driver(session).fetchval("SELECT 1")
        way.stop_hearing()

        async def write():
            async with database.statement() as session:
                await driver(session).fetchval("SELECT length($1)", LARGE)

        with pytest.raises((TimeoutError, Unavailable)):
            async with asyncio.timeout(1):
                await write()
        way.hear_again()
        async with asyncio.timeout(20):
            assert await way.unheard is None
