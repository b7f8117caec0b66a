"""A real PostgreSQL for tests: one server per run, and for each test a database of its own.

TEST_DATABASE_URL (postgresql+asyncpg://…, a role that may create databases) replaces the server;
TEST_POSTGRES_MAJOR chooses another embedded version than the newest.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from local import binaries, privileges
from local.postgres import Cluster
from tests.support import servers

ROOT = Path(__file__).parents[2]
#: Durability is of no use to a test.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
ROOM = {"max_connections": "200"}
TEMPLATE_MADE = "template.made"


@dataclass(frozen=True)
class PostgresServer:
    """A server where tests may create databases."""

    maintenance_url: str
    #: Begins the name of every database of this run, so that runs can share a server.
    prefix: str

    def url(self, database: str) -> str:
        url = make_url(self.maintenance_url).set(database=database)
        return url.render_as_string(hide_password=False)

    def execute(self, statement: str, *, database: str | None = None) -> None:
        """Run one statement outside a transaction, also while another event loop runs."""
        url = self.maintenance_url if database is None else self.url(database)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_execute(url, statement))).result()

    def create(self, name: str, *, template: str | None = None) -> str:
        """Make a database, a copy when a template is given; returns its URL."""
        copy = f' TEMPLATE "{template}"' if template else ""
        self.execute(f'CREATE DATABASE "{name}"{copy}')
        return self.url(name)

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def pytest_configure(config: pytest.Config) -> None:
    servers.prepare(config)
    if "TEST_DATABASE_URL" in os.environ and not hasattr(config, "workerinput"):
        config.add_cleanup(_drop_template)


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The server of this test run."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        return PostgresServer(given, _prefix())
    run = servers.run_folder()
    with servers.one_at_a_time(run, "postgres"):
        return PostgresServer(_started(run).url("postgres"), _prefix())


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> str:
    """The name of a database at the newest migration, without a row; do not connect to it."""
    run = servers.run_folder()
    name = f"{postgres_server.prefix}_template"
    with servers.one_at_a_time(run, "template"):
        if not (run / TEMPLATE_MADE).exists():
            migrate(postgres_server.create(name))
            (run / TEMPLATE_MADE).touch()
    return name


@pytest.fixture
def database_url(postgres_server: PostgresServer, template_database: str) -> Iterator[str]:
    """The URL of a migrated, empty database that only this test sees."""
    name = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    yield postgres_server.create(name, template=template_database)
    postgres_server.drop(name)


def migrate(url: str, revision: str = "head") -> None:
    """Run Alembic in a process of its own, as `liftlock db upgrade` does."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", revision],
        cwd=ROOT,
        env=os.environ | {"LIFTLOCK_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"alembic upgrade {revision} failed:\n{done.stderr[-3000:]}")


def _started(run: Path) -> Cluster:
    """The run's own cluster; the first worker that needs it starts it."""
    major = os.environ.get("TEST_POSTGRES_MAJOR")
    programs = binaries.postgres_programs(int(major) if major else None)
    secret = run / "postgres.password"
    if not secret.exists():
        secret.write_text(secrets.token_hex(16))
    cluster = Cluster(
        programs=programs,
        directory=run / "postgres",
        reach=run / "postgres",
        password=secret.read_text(),
        launch=privileges.choose(programs / "postgres"),
        settings=FAST | ROOM,
    )
    log = run / "postgres.log"
    if not log.exists():
        cluster.initialize()
        options = cluster.options()
        servers.start(
            run,
            cluster.argv(),
            folder=cluster.directory,
            stop=signal.SIGINT,
            log=log,
            options=options,
        )
    servers.wait_until(cluster.answers, "PostgreSQL to answer", log=log)
    return cluster


def _prefix() -> str:
    return f"test_{servers.run_folder().name.rpartition('-')[2]}"


def _drop_template() -> None:
    if (servers.run_folder() / TEMPLATE_MADE).exists():
        server = PostgresServer(os.environ["TEST_DATABASE_URL"], _prefix())
        server.drop(f"{server.prefix}_template")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", "", 1), timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
