"""Whatever writes to Postgres or Redis may be cancelled at each of its awaits.

Either all of its transaction is there or nothing; the connections are as good as before, and
nobody holds a lock that nobody knows of. `tests.support.awaits` says what is counted.
"""

import asyncio
import json
import re

import pytest
from redis.asyncio import Redis

from app.gateways.queue import JobQueue
from app.store.database import Database, driver
from tests.chaos.model.cancelling import DEEDS, Scene
from tests.chaos.model.cancelling_locks import LOCK_DEEDS, LockScene, shown
from tests.chaos.model.rows import Rows
from tests.support import awaits
from tests.support.awaits import Moment

pytestmark = pytest.mark.timeout(120)

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BUSY = """
    SELECT state, query FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


@pytest.fixture
async def rows(database_url):
    rows = await Rows.connect(database_url)
    yield rows
    await rows.close()


class Stage:
    """One deed's circumstances, made once and put back before every run of it."""

    def __init__(self, deed, rows, *, url, redis_url, vault):
        self.deed, self.rows = deed, rows
        self._url, self._redis_url = url, redis_url
        self.scene = Scene(None, None, vault)
        self.whole = None

    async def arrange(self):
        await self._connect()
        await self.deed.given(self.scene)
        self.before = await self.rows.read()
        # Scripts are loaded, so that every run finds them there.
        await self.deed.do(self.scene)

    async def prepare(self):
        """The same rows, and connections that have been used."""
        await self.close()
        await self.rows.put_back(self.before)
        await self._connect()
        return self.deed.do(self.scene)

    async def check(self, run):
        await self._is_quiet()
        found = await self.rows.read()
        if not run.was_cancelled:
            self.whole = self._text(found)
            assert (self.whole != self._text(self.before)) is self.deed.changes
        assert self._text(found) in {self._text(self.before), self.whole}, f"{run}: half is there"
        for job in found["jobs"]:
            numbers = [event["seq"] for event in found["events"] if event["job_id"] == job["id"]]
            assert sorted(numbers) == list(range(1, job["last_seq"] + 1)), str(run)
        assert self.scene.db._engine.pool.checkedout() == 0, str(run)
        await _answers(self.scene.db)

    async def close(self):
        if self.scene.db is not None:
            await self.scene.db.close()
            await self.scene.queue.close()

    async def _connect(self):
        self.scene.db = Database(self._url, pool_size=1)
        self.scene.queue = JobQueue.connect(self._redis_url)
        await _answers(self.scene.db)
        assert await self.scene.queue.ping()

    async def _is_quiet(self):
        """A statement that nobody waits for any more may still be at work."""
        async with asyncio.timeout(30):
            while await self.rows.connection.fetch(_BUSY):
                await asyncio.sleep(0.002)

    def _text(self, dump):
        """The dump without its moments; ids that the deed made are told by their order."""
        known = set(_ids(self.before))
        text = _TIME.sub("<time>", json.dumps(dump, sort_keys=True))
        for number, name in enumerate(dict.fromkeys(i for i in _ids(dump) if i not in known)):
            text = text.replace(name, f"<new {number}>")
        return text


def _ids(dump):
    return [found[0] for found in _ID.finditer(json.dumps(dump))]


async def _answers(db):
    async with db.statement() as session:
        assert await driver(session).fetchval("SELECT 1") == 1


def _id(case):
    return case.name.lower().replace(" ", "-")


@pytest.mark.parametrize("moment", list(Moment), ids=_id)
@pytest.mark.parametrize("deed", DEEDS, ids=_id)
async def test_all_or_nothing_of_it_is_there(database_url, redis_url, rows, vault, deed, moment):
    stage = Stage(deed, rows, url=database_url, redis_url=redis_url, vault=vault)
    await stage.arrange()
    try:
        early = deed.answers
        assert await awaits.sweep(stage.prepare, stage.check, moment=moment, early=early) > 0
    finally:
        await stage.close()


class LockStage:
    """One deed's circumstances in Redis, made anew before every run of it."""

    def __init__(self, deed, redis_url):
        self.deed, self._url = deed, redis_url
        self._scene = None

    async def prepare(self):
        """Connections that have been used, and the scripts loaded."""
        await self.close()
        self._scene = LockScene(Redis.from_url(self._url), JobQueue.connect(self._url))
        await self._scene.redis.flushdb()
        assert await self._scene.queue.ping()
        await self.deed.given(self._scene)
        self.before = await shown(self._scene.redis)
        return self.deed.do(self._scene)

    async def check(self, run):
        found = await shown(self._scene.redis)
        if not run.was_cancelled:
            self.whole = found
        elif self.deed.leaves == "all":
            assert found == self.whole, f"{run}: not all is done"
        else:
            assert set(found["locks"].items()) <= set(self.before["locks"].items()), str(run)

    async def close(self):
        if self._scene is not None:
            await self._scene.queue.close()
            await self._scene.redis.aclose()


@pytest.mark.parametrize("moment", list(Moment), ids=_id)
@pytest.mark.parametrize("deed", LOCK_DEEDS, ids=_id)
async def test_no_lock_is_left_that_nobody_knows_of(redis_url, deed, moment):
    stage = LockStage(deed, redis_url)
    await awaits.run(await stage.prepare())  # scripts are loaded, connections of the queue made
    try:
        assert await awaits.sweep(stage.prepare, stage.check, moment=moment) > 0
        assert await shown(stage._scene.redis) == stage.whole
    finally:
        await stage.close()
