"""What a worker looks after by itself goes on, whatever keeps the rest waiting."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from app.errors import Unavailable
from worker.jobs import sweep

WORK = ("sweep", "sweep_routers", "sweep_extensions", "tidy")


@pytest.fixture
def counted(ctx, monkeypatch):
    """Run the sweeper with these in place of its own work; how often each was begun."""

    @asynccontextmanager
    async def run(**instead):
        begun = dict.fromkeys(WORK, 0)

        def counting(name):
            async def work(*_):
                begun[name] += 1
                if name in instead:
                    await instead[name]()

            return work

        for name in WORK:
            monkeypatch.setattr(sweep, name, counting(name))
        for name in ("EVERY", "TIDY_EVERY", "TIDY_AGAIN"):
            monkeypatch.setattr(sweep, name, 0.01)
        every = timedelta(minutes=5)
        runtime = replace(ctx["runtime"], look_every=every, extension_look_every=every)
        running = asyncio.create_task(sweep.sweep_forever(runtime))
        try:
            yield begun
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    return run


async def _until(is_it):
    async with asyncio.timeout(10):
        while not is_it():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("silent", WORK)
async def test_nothing_waits_for_work_that_never_ends(counted, silent):
    async with counted(**{silent: asyncio.Event().wait}) as begun:
        await _until(lambda: all(begun[name] > 3 for name in WORK if name != silent))
        assert begun[silent] == 1


@pytest.mark.parametrize("error", [RuntimeError("broken"), Unavailable()], ids=repr)
@pytest.mark.parametrize("broken", WORK)
async def test_work_that_fails_is_repeated_and_ends_nothing(counted, broken, error):
    async def fail():
        raise error

    async with counted(**{broken: fail}) as begun:
        await _until(lambda: all(begun[name] > 3 for name in WORK))


async def test_after_a_failure_things_are_tidied_sooner(counted, monkeypatch):
    async def fail():
        raise Unavailable

    async with counted(tidy=fail) as begun:
        monkeypatch.setattr(sweep, "TIDY_EVERY", 3600)
        await _until(lambda: begun["tidy"] > 3)
