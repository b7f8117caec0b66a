"""Fixtures for every test that needs real servers; unit tests use none of them."""

import signal

import pytest

from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.gateways.wakeups import Wakeups
from app.store.database import Database

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.redis",
    "tests.support.stack",
    "tests.support.machines",
    "tests.support.object_store",
]

MASTER_KEY = bytes(range(32))

# Who starts the tests in the background, or with `nohup`, has these ignored: programs that a test
# starts and interrupts would never notice.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture
async def db(database_url):
    """A database of its own for one test, migrated."""
    database = Database(database_url, pool_size=4)
    yield database
    await database.close()


@pytest.fixture
async def queue(redis_url):
    queue = JobQueue.connect(redis_url)
    yield queue
    await queue.close()


@pytest.fixture
async def wakeups(redis_url):
    """Without a listener: who wants to hear of announcements runs it."""
    wakeups = Wakeups.connect(redis_url)
    yield wakeups
    await wakeups.close()


@pytest.fixture
def vault():
    return Vault(MASTER_KEY)
