"""Jobs that go on across absent hosts, absent databases and workers that are gone."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from app import services, store
from app.domain.event import EventType
from app.domain.job import JobStatus, LeasePolicy
from app.errors import Unavailable
from tests.support import factories
from tests.support.told import happened, said
from worker.engine import RetryPolicy
from worker.jobs.run_job import run_job

COUNTS = (
    'echo x >> "$SHARED_DIR/effect"; for n in 1 2 3 4 5 6 7 8 9; do echo "line $n"; sleep 0.2; done'
)


async def _output(db, job, step):
    events = await factories.events(db, job.id)
    return "".join(
        event.data["text"]
        for event in events
        if event.type == EventType.STEP_OUTPUT and event.data["step"] == step
    )


async def test_a_host_that_comes_back_is_used(db, queue, vault, ctx, site, machine, monkeypatch):
    monkeypatch.setattr(RetryPolicy, "pause", lambda *_: 0.3)
    await site()
    job = (await factories.request(db, queue, vault)).job
    machine.away = True
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    told = await happened(db, job, EventType.STEP_RETRYING)
    machine.away = False
    await running
    ended = (await services.jobs.get(db, job.id)).job
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    assert (told["step"], told["error"]["code"]) == ("reach", "host-unreachable")
    steps = await services.jobs.steps(db, job.id)
    assert next(step for step in steps if step.name == "reach").tries > 1


async def test_output_is_complete_and_told_once_across_two_workers(
    db, queue, vault, ctx, handed_over, site, machine
):
    await site(BUILD=COUNTS)
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "line 2")
    await run_job(ctx, str(job.id), 2)
    ended = (await services.jobs.get(db, job.id)).job
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    assert await _output(db, job, "build-build") == "".join(f"line {n}\n" for n in range(1, 10))
    assert (machine.base / "apps/shop/shared/effect").read_text() == "x\n"


@pytest.fixture
def outage(db, monkeypatch):
    """Postgres refuses every transaction while it is set."""
    away = asyncio.Event()

    def closed(real):
        @contextlib.asynccontextmanager
        async def opened(*arguments, **named):
            if away.is_set():
                raise Unavailable("away", hint="wait")
            async with real(*arguments, **named) as session:
                yield session

        return opened

    for name in ("transaction", "statement"):
        monkeypatch.setattr(db, name, closed(getattr(db, name)))
    return away


async def test_a_short_absence_of_the_database_loses_neither_job_nor_output(
    db, queue, vault, ctx, site, machine, outage
):
    await site(BUILD=COUNTS)
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await said(db, job, "line 2")
    outage.set()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.shield(running)
    outage.clear()
    await running
    ended = (await services.jobs.get(db, job.id)).job
    assert (ended.status, ended.attempt) == (JobStatus.SUCCEEDED, 1), ended.error
    assert await _output(db, job, "build-build") == "".join(f"line {n}\n" for n in range(1, 10))


async def test_a_longer_absence_ends_the_attempt_in_time_and_the_next_one_meets_the_step(
    db, queue, vault, ctx, site, machine, outage, monkeypatch
):
    monkeypatch.setattr(LeasePolicy, "__init__", _hasty)
    await site(BUILD=COUNTS)
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await said(db, job, "line 2")
    outage.set()
    await running
    outage.clear()
    left = (await services.jobs.get(db, job.id)).job
    assert left.status is JobStatus.RUNNING
    async with db.transaction() as session:
        await store.attempts.requeue(session, await store.jobs.lock(session, job.id))
    await run_job(ctx, str(job.id), 2)
    ended = (await services.jobs.get(db, job.id)).job
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    assert (machine.base / "apps/shop/shared/effect").read_text() == "x\n"
    assert await _output(db, job, "build-build") == "".join(f"line {n}\n" for n in range(1, 10))


def _hasty(self):
    object.__setattr__(self, "lease", timedelta(seconds=5))
    object.__setattr__(self, "renew_every", timedelta(milliseconds=50))
