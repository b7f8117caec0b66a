"""Several requests for one site at once, in any order of their ends (case 33)."""

import asyncio
import random
from contextlib import suppress

import asyncpg
import pytest

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.job import FINAL, JobKind, JobStatus
from app.errors import Conflict, LostOwnership, Unavailable
from app.services.claiming import Blocked
from app.store.database import driver
from tests.support import deployments
from tests.support.deployments import ask, claim, jobs_of

BUILT = (AppServerStatus.WAITING, AppServerStatus.CONFIGURING, AppServerStatus.RUNNING)


@pytest.fixture
async def site(db):
    return await deployments.add_routed_site(db)


async def _carry_out(db, taken, *, is_good):
    job, end = taken.job, {"status": JobStatus.SUCCEEDED}
    if job.kind is JobKind.ACTIVATE:
        await deployments.note_switch(db, taken)
    elif job.kind is JobKind.TERMINATE:
        [target] = taken.work.targets
        await services.activation.terminated(db, job, target.app_server.id)
    elif job.kind is JobKind.PROVISION:
        for status in BUILT[: 3 if is_good else 2]:
            await services.execution.move_app_server(db, job, status)
        if not is_good:
            end = {"status": JobStatus.FAILED, "error": {"code": "step-failed"}}
    await services.ending.settle(db, job, **end)


async def _open(db):
    return [job for kind in JobKind for job in await jobs_of(db, kind) if job.status not in FINAL]


async def _run_all(db, good):
    """Until nothing is left to do; `good` says of (request, try) whether it can be built."""
    order = {}
    while found := await _open(db):
        for job in found:
            first = order.setdefault(job.params["deployment"], len(order))
            try:
                taken = await claim(db, job)
            except (Blocked, LostOwnership):
                continue
            is_good = good.get((first, job.params.get("try")), True)
            await _carry_out(db, taken, is_good=is_good)


async def _serving(db):
    """The deployments of the app servers in service."""
    return {str(row.deployment_id) for row in await deployments.app_servers(db) if row.is_active}


@pytest.mark.parametrize("older_first", [True, False], ids=["older built", "older fails"])
@pytest.mark.parametrize("newer_first", [True, False], ids=["newer built", "newer fails"])
@pytest.mark.parametrize("priority", [-1, 0, 1], ids=["urgent", "as urgent", "less urgent"])
async def test_the_newest_request_is_in_service_whatever_ends_last(
    db, queue, vault, site, older_first, newer_first, priority
):
    """Either may need its second attempt, which comes behind everything that waits."""
    await ask(db, queue, vault, activate=True)
    [newer] = await ask(db, queue, vault, activate=True, priority=priority)
    await _run_all(db, {(0, 1): older_first, (1, 1): newer_first})
    assert await _serving(db) == {newer.params["deployment"]}


async def test_the_older_request_is_in_service_when_the_newest_fails_for_good(
    db, queue, vault, site
):
    [older] = await ask(db, queue, vault, activate=True)
    await ask(db, queue, vault, activate=True, priority=-1)
    await _run_all(db, {(0, 1): False, (1, 1): False, (1, 2): False})
    assert await _serving(db) == {older.params["deployment"]}


class _Crowd:
    """Workers, callers and a watcher at one site, each doing the next thing without waiting."""

    def __init__(self, db, queue, vault):
        self.db, self.queue, self.vault = db, queue, vault
        self.chance = random.Random(6)
        self.asked = []
        self.is_over = asyncio.Event()

    async def ask(self, count):
        for _ in range(count):
            self.asked += await ask(self.db, self.queue, self.vault, activate=True)

    async def cancel(self):
        while not self.is_over.is_set():
            for job in self.asked[::7]:
                with suppress(Conflict):
                    await services.commands.cancel(self.db, self.queue, job.id, actor="me")
            await asyncio.sleep(0)

    async def work(self):
        while not self.is_over.is_set():
            for job in await _open(self.db):
                try:
                    taken = await claim(self.db, job)
                    is_good = self.chance.random() < 0.7
                    await _carry_out(self.db, taken, is_good=is_good)
                except (Blocked, LostOwnership):
                    continue
                except Unavailable as error:
                    # On a busy machine a lock may take long; a deadlock is another matter.
                    if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                        raise
            await asyncio.sleep(0)

    async def sweep(self):
        while not self.is_over.is_set():
            await services.dirty_routes.sweep(self.db, self.queue)
            await services.retention.sweep(self.db, self.queue)
            await asyncio.sleep(0)

    async def watch(self):
        while not self.is_over.is_set():
            async with self.db.statement() as session:
                found = await driver(session).fetch(
                    "SELECT deployment_id, count(*) FROM app_servers WHERE is_active GROUP BY 1"
                )
            assert [row["count"] for row in found] in ([], [2])
            await asyncio.sleep(0)

    async def end(self):
        while await _open(self.db):
            await asyncio.sleep(0.05)
        self.is_over.set()


async def test_a_crowd_at_one_site_deadlocks_never_and_sees_one_whole_set(db, queue, vault, site):
    await deployments.execute(db, "UPDATE instances SET target_count = 2, retention_days = 0")
    crowd = _Crowd(db, queue, vault)
    # A deadlock, as any trouble of Postgres, would be raised as Unavailable.
    async with asyncio.timeout(50), asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(crowd.ask(3)) for _ in range(2)]
        for deed in (crowd.work, crowd.work, crowd.cancel, crowd.sweep, crowd.watch):
            tasks.create_task(deed())
        await asyncio.gather(*asking)
        await crowd.end()
    assert len(await _serving(db)) == 1
