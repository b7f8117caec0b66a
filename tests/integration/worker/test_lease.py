import asyncio
import time
from datetime import timedelta

import pytest

from app.domain.job import LeasePolicy
from app.errors import Unavailable
from worker.jobs.lease import Lease, LeaseLost

OFTEN = LeasePolicy(renew_every=timedelta(milliseconds=1))
SHORT = LeasePolicy(lease=timedelta(milliseconds=500), renew_every=timedelta(milliseconds=1))


class Lost(Exception):
    pass


async def nothing():
    pass


async def for_ever():
    await asyncio.Event().wait()


def lease(policy=OFTEN):
    return Lease(policy, since=time.monotonic())


async def test_the_result_of_the_work_is_returned_and_the_renewing_stops():
    renewed = asyncio.Event()

    async def renew():
        renewed.set()

    async def work():
        await renewed.wait()
        return "done"

    assert await lease().keep(work(), renew, news=asyncio.Event()) == "done"
    assert len(asyncio.all_tasks()) == 1


async def test_a_lost_job_stops_the_work_at_once():
    stopped = asyncio.Event()

    async def renew():
        raise Lost

    async def work():
        try:
            await for_ever()
        finally:
            stopped.set()

    with pytest.raises(Lost):
        await lease().keep(work(), renew, news=asyncio.Event())
    assert stopped.is_set()


async def test_an_error_of_the_work_comes_through():
    async def work():
        raise Lost

    with pytest.raises(Lost):
        await lease().keep(work(), nothing, news=asyncio.Event())


async def test_cancelling_stops_the_work_and_the_renewing():
    started = asyncio.Event()

    async def work():
        started.set()
        await for_ever()

    task = asyncio.create_task(lease().keep(work(), nothing, news=asyncio.Event()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1


async def test_news_are_looked_at_without_waiting_for_the_next_renewal():
    news, renewed = asyncio.Event(), asyncio.Event()

    async def renew():
        renewed.set()

    news.set()
    async with asyncio.timeout(10):
        await lease(LeasePolicy()).keep(renewed.wait(), renew, news=news)


async def test_an_absent_database_costs_nothing_while_the_lease_lasts():
    answers = [Unavailable("away", hint="wait"), None]
    done = asyncio.Event()

    async def renew():
        answer = answers.pop(0) if answers else done.set()
        if answer:
            raise answer

    async with asyncio.timeout(10):
        await lease().keep(done.wait(), renew, news=asyncio.Event())
    assert answers == []


async def test_work_stops_before_a_lease_ends_that_cannot_be_renewed():
    async def renew():
        raise Unavailable("away", hint="wait")

    began = time.monotonic()
    with pytest.raises(LeaseLost):
        await lease(SHORT).keep(for_ever(), renew, news=asyncio.Event())
    assert time.monotonic() - began < 0.5


async def test_work_stops_in_time_also_when_the_renewal_hangs():
    with pytest.raises(LeaseLost):
        await lease(SHORT).keep(for_ever(), for_ever, news=asyncio.Event())


async def test_a_write_is_made_again_until_the_database_is_back():
    answers = [Unavailable("away", hint="wait"), Unavailable("away", hint="wait")]

    async def write():
        if answers:
            raise answers.pop()
        return "written"

    assert await lease().insist(write) == "written"


async def test_a_write_is_given_up_when_the_lease_ends():
    async def write():
        raise Unavailable("away", hint="wait")

    with pytest.raises(LeaseLost):
        await lease(SHORT).insist(write)


async def test_a_refused_write_is_not_made_again():
    async def write():
        raise Lost

    with pytest.raises(Lost):
        await lease().insist(write)
