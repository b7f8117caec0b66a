"""A worker that is cut off from Postgres keeps no job from the others."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from app import services
from app.errors import Unavailable
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
