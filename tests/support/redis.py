"""A real Redis for tests: one server per xdist worker, emptied before each test.

TEST_REDIS_URL (unix:// or redis://) replaces it; each xdist worker then takes a database number.
"""

import os
import secrets
import signal

import pytest
from redis import Redis

from local import binaries
from local.redis import RedisServer
from tests.support import servers


def pytest_configure(config: pytest.Config) -> None:
    servers.prepare(config)


@pytest.fixture(scope="session")
def redis_server() -> str:
    """The URL of this worker's Redis."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        return f"{given.partition('?')[0]}?db={worker.removeprefix('gw')}"
    run = servers.run_folder()
    folder = run / f"redis-{worker}"
    # A crashed worker is replaced by one with a new name, so the folder cannot exist yet.
    folder.mkdir(mode=0o700)
    server = RedisServer(
        program=binaries.redis_program(),
        directory=folder,
        socket=folder / "redis.sock",
        password=secrets.token_hex(16),
    )
    server.write_config()
    log = run / f"redis-{worker}.log"
    # The data goes with the folder, so the server need not save it: KILL is the quickest end.
    servers.start(run, server.argv(), folder=folder, stop=signal.SIGKILL, log=log, options={})
    servers.wait_until(server.answers, "Redis to answer", log=log)
    return server.url()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis that only this test uses."""
    with Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server
