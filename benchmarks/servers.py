"""PostgreSQL and Redis of a run: the programs of `liftlock up`, with its settings, in a folder."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from local import binaries, privileges
from local.postgres import Cluster
from local.redis import RedisServer

ROOT = Path(__file__).parents[1]
#: Tells when a row was committed; all else is as `liftlock up` has it, with fsync.
SETTINGS = {"track_commit_timestamp": "on"}
_TEMPLATE = "prepared"
_PATIENCE = 60.0


@dataclass
class Servers:
    """Both servers, and every process that a run starts; `stop` ends them."""

    folder: Path
    cluster: Cluster = field(init=False)
    redis: RedisServer = field(init=False)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _made: int = 0

    async def start(self) -> None:
        """Servers that answer, and a migrated database to copy."""
        self.cluster = self._cluster()
        await asyncio.to_thread(self.cluster.initialize)
        self.run("postgres", self.cluster.argv(), **self.cluster.options())
        await self.start_redis()
        await eventually(self.cluster.answers, "PostgreSQL to answer")
        await self._execute(f"CREATE DATABASE {_TEMPLATE}")
        migrate = self.python("migrate", "alembic", "upgrade", "head", env=self._migrating())
        await eventually(lambda: migrate.poll() is not None, "the migration")
        if migrate.returncode:
            raise RuntimeError(f"The migration failed: {self.log('migrate')}")

    async def start_redis(self) -> None:
        """That server alone, until it answers."""
        self.redis = self._redis()
        self.redis.directory.mkdir()
        self.redis.write_config()
        self.run("redis", self.redis.argv())
        await eventually(self.redis.answers, "Redis to answer")

    async def database(self, *, empty: bool = False) -> str:
        """The URL of a new database: migrated, or without any table."""
        self._made += 1
        name = f"run{self._made}"
        await self._execute(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {_TEMPLATE}"))
        return self.cluster.url(name)

    def redis_url(self, number: int) -> str:
        return self.redis.url().replace("db=0", f"db={number}")

    def python(
        self, name: str, module: str, *arguments: str, env: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """`python -m module …`, with this checkout in front."""
        given = {key: text for key, text in os.environ.items() if not key.startswith("LIFTLOCK_")}
        argv = (sys.executable, "-m", module, *arguments)
        return self.run(name, argv, env={**given, "PYTHONPATH": str(ROOT), **env}, cwd=ROOT)

    def run(self, name: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, **options)
        self._running.append(process)
        return process

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def end(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
        """Stop one process (blocks)."""
        process.send_signal(number)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self._running:
            self._running.remove(process)

    def stop(self) -> None:
        """Everything, the servers last; their data need not be kept."""
        for process in reversed(list(self._running)):
            self.end(process, signal.SIGINT if process.poll() is None else 0)

    def _migrating(self) -> dict[str, str]:
        return {"LIFTLOCK_DATABASE_URL": self.cluster.url(_TEMPLATE)}

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(plain(self.cluster.url("postgres")))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _cluster(self) -> Cluster:
        programs = binaries.postgres_programs()
        return Cluster(
            programs=programs,
            directory=self.folder / "postgres",
            reach=self.folder / "postgres",
            password=secrets.token_hex(16),
            launch=privileges.choose(programs / "postgres"),
            settings=SETTINGS,
        )

    def _redis(self) -> RedisServer:
        return RedisServer(
            program=binaries.redis_program(),
            directory=self.folder / "redis",
            socket=self.folder / "redis.sock",
            password=secrets.token_hex(16),
        )


def plain(url: str) -> str:
    """The URL as asyncpg itself takes it."""
    return url.replace("+asyncpg", "", 1)


async def eventually(
    condition: Callable[[], bool], what: str, *, seconds: float = _PATIENCE
) -> None:
    """Poll a condition; TimeoutError after that many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(condition):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"waited {seconds:g} s for {what}") from None
