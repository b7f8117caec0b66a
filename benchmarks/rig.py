"""What every measurement stands on: the servers, and a new Liftlock or peer whenever it asks."""

import base64
import secrets
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
from redis.asyncio import Redis

from app import services
from app.domain.scope import Scope
from app.store.database import Database
from benchmarks.load import Address
from benchmarks.servers import Servers, eventually, plain

#: Redis databases, so that none sees another's keys.
LIFTLOCK, PEER, BARE = 0, 1, 2


@dataclass(frozen=True)
class Api:
    """A running API: Liftlock's or the peer's."""

    servers: Servers
    address: Address
    database_url: str
    redis_url: str
    env: dict[str, str] = field(repr=False)

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request, for setting things up."""
        headers = {"Authorization": f"Bearer {self.address.token}"}
        url = f"http://127.0.0.1:{self.address.port}{path}"
        async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as client:
            answer = await client.request(method, url, json=body)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of our own to its database."""
        connection = await asyncpg.connect(plain(self.database_url))
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def worker(self, settings: str, **env: str) -> AsyncIterator[subprocess.Popen[bytes]]:
        """One worker process until the end of the block."""
        process = self.start_worker(settings, **env)
        try:
            yield process
        finally:
            self.servers.end(process)

    def start_worker(self, settings: str, **env: str) -> subprocess.Popen[bytes]:
        return self.servers.python("worker", "arq", settings, env={**self.env, **env})


@dataclass(frozen=True)
class Rig:
    servers: Servers
    #: Fewer and shorter repetitions.
    quick: bool = False

    def few(self, many: int, quick: int) -> int:
        return quick if self.quick else many

    @asynccontextmanager
    async def liftlock(self) -> AsyncIterator[Api]:
        """A Liftlock with an empty database, an API process and no worker."""
        env = {"LIFTLOCK_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode()}
        async with self._api("app.main", LIFTLOCK, env, empty=False, ready="/readyz") as api:
            yield api

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Api]:
        """The peer's API process, with an empty database and no worker."""
        async with self._api("benchmarks.peer.app", PEER, {}, empty=True, ready="/ready") as api:
            yield api

    async def bare(self) -> asyncpg.Connection:
        """A connection to an empty database."""
        return await asyncpg.connect(plain(await self.servers.database(empty=True)))

    @asynccontextmanager
    async def bare_pool(self, size: int) -> AsyncIterator[asyncpg.Pool]:
        """Open connections to an empty database."""
        url = plain(await self.servers.database(empty=True))
        async with asyncpg.create_pool(url, min_size=size, max_size=size) as pool:
            yield pool

    async def redis(self, number: int = BARE) -> Redis:
        """An empty Redis database."""
        client: Redis = Redis.from_url(self.servers.redis_url(number))
        await client.flushdb()
        return client

    @asynccontextmanager
    async def _api(
        self, module: str, number: int, env: dict[str, str], *, empty: bool, ready: str
    ) -> AsyncIterator[Api]:
        await (await self.redis(number)).aclose()
        url, port = await self.servers.database(empty=empty), _free_port()
        env |= {
            "LIFTLOCK_DATABASE_URL": url,
            "LIFTLOCK_REDIS_URL": self.servers.redis_url(number),
            "LIFTLOCK_PORT": str(port),
        }
        token = "" if empty else await _token(url)
        api = Api(self.servers, Address(port, token), url, self.servers.redis_url(number), env)
        process = self.servers.python("api", module, env=env)
        try:
            await eventually(lambda: _answers(port, ready), f"{module} to answer")
            yield api
        finally:
            self.servers.end(process)


async def _token(url: str) -> str:
    db = Database(url, pool_size=1)
    try:
        return (await services.tokens.create(db, name="benchmark", scope=Scope.ADMIN))[1]
    finally:
        await db.close()


def _answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
