import asyncio
from datetime import timedelta

import pytest

from worker.jobs.lease import work_while

OFTEN = timedelta(milliseconds=1)


class Lost(Exception):
    pass


async def test_the_result_of_the_work_is_returned_and_the_renewing_stops():
    renewed = asyncio.Event()

    async def renew():
        renewed.set()

    async def work():
        await renewed.wait()
        return "done"

    assert await work_while(work(), renew, every=OFTEN) == "done"
    assert len(asyncio.all_tasks()) == 1


async def test_a_lost_lease_stops_the_work_at_once():
    stopped = asyncio.Event()

    async def renew():
        raise Lost

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with pytest.raises(Lost):
        await work_while(work(), renew, every=OFTEN)
    assert stopped.is_set()


async def test_an_error_of_the_work_comes_through():
    async def renew():
        pass

    async def work():
        raise Lost

    with pytest.raises(Lost):
        await work_while(work(), renew, every=OFTEN)


async def test_cancelling_stops_the_work_and_the_renewing():
    started = asyncio.Event()

    async def renew():
        pass

    async def work():
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(work_while(work(), renew, every=OFTEN))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
