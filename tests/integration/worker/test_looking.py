"""A worker that is cut off from Postgres keeps no job from the others."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from app import services
from app.domain.event import EventType
from app.domain.job import JobStatus, LeasePolicy
from app.errors import Unavailable
from tests.support import factories
from worker.jobs import looking
from worker.jobs.run_job import run_job


@pytest.fixture
def rests(ctx):
    """How often the worker was told to rest."""
    told = []
    ctx["runtime"] = replace(ctx["runtime"], rest=lambda: told.append(1))
    return told


async def test_a_postgres_that_says_nothing_is_not_waited_for(ctx, rests, pushed, monkeypatch):
    async def silent(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(services.work, "look", silent)
    monkeypatch.setattr(looking, "_PATIENCE", 0.05)
    job = uuid4()
    async with asyncio.timeout(10):
        await run_job(ctx, str(job), 1)
    assert (await pushed(), rests) == ([job], [1])


async def test_a_postgres_that_is_away_wakes_the_others(ctx, rests, pushed, monkeypatch):
    async def away(*_):
        raise Unavailable

    monkeypatch.setattr(services.work, "look", away)
    job = uuid4()
    await run_job(ctx, str(job), 1)
    assert (await pushed(), rests) == ([job], [1])


async def test_a_job_whose_lease_could_not_be_renewed_is_handed_over_when_that_can_be_told(
    db, queue, vault, ctx, site, pushed, monkeypatch
):
    def short(self):
        object.__setattr__(self, "lease", timedelta(seconds=1))
        object.__setattr__(self, "renew_every", timedelta(milliseconds=50))

    async def away(*_):
        raise Unavailable

    monkeypatch.setattr(LeasePolicy, "__init__", short)
    monkeypatch.setattr(services.claiming, "renew", away)
    await site(BUILD="sleep 60")
    job = (await factories.request(db, queue, vault)).job
    await pushed()
    await run_job(ctx, str(job.id), 1)
    seen = (await services.jobs.get(db, job.id)).job
    assert (seen.status, seen.lease_until, seen.lost_workers) == (JobStatus.QUEUED, None, 0)
    assert (await factories.event_types(db, job.id))[-1] == EventType.JOB_HANDED_OVER
    assert await pushed() == [job.id]
