"""A real Redis for tests: one server per xdist worker, emptied before each test.

TEST_REDIS_URL (unix:// or redis://) replaces it; each xdist worker then takes a database number.
"""

import os

import pytest
from redis import Redis

from tests.support import servers
from tests.support.own_redis import new_redis


def pytest_configure(config: pytest.Config) -> None:
    servers.prepare(config)


@pytest.fixture(scope="session")
def redis_server() -> str:
    """The URL of this worker's Redis."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        return f"{given.partition('?')[0]}?db={worker.removeprefix('gw')}"
    return new_redis(f"redis-{worker}").server.url()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty Redis that only this test uses."""
    with Redis.from_url(redis_server) as client:
        client.flushdb()
    return redis_server
