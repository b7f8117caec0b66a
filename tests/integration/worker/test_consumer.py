"""The worker's own engine below arq's names: claims, wake-ups, leases, signals, absent Redis."""

import asyncio
import signal
from contextlib import asynccontextmanager
from uuid import uuid4

import arq.worker
import pytest
from arq.connections import ArqRedis, RedisSettings
from arq.worker import func
from redis.asyncio import ConnectionPool, Redis

from app.gateways.queue import deserialize, serialize
from tests.support.own_redis import new_redis
from worker import consumer as consumer_module
from worker.consumer import Consumer
from worker.main import WorkerSettings


class Calls:
    """An arq function that tells when it was called and waits until it may end."""

    def __init__(self):
        self.seen, self.began, self.may_end = [], asyncio.Event(), asyncio.Event()
        self.may_end.set()

    async def run_job(self, ctx, job, attempt):
        self.seen.append((job, attempt))
        self.began.set()
        await self.may_end.wait()


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture
async def running(redis_url, calls):
    """Start consumers; each is stopped at the end."""
    started = []

    @asynccontextmanager
    async def run(**settings):
        pool = ConnectionPool.from_url(redis_url)
        redis = ArqRedis(pool, job_serializer=serialize, job_deserializer=deserialize)
        defaults = {"poll_delay": 60, "max_jobs": 10, "job_timeout": 60}
        worker = Consumer(
            [func(calls.run_job, name="run_job")],
            redis_pool=redis,
            handle_signals=False,
            job_serializer=serialize,
            job_deserializer=deserialize,
            **{**defaults, **settings},
        )
        task = asyncio.create_task(worker.main())
        started.append((worker, task))
        yield worker

    yield run
    calls.may_end.set()
    for worker, task in started:
        worker.handle_sig(signal.SIGTERM)
        await task
        await worker.close()


async def _until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def _push(queue, job):
    """On a busy machine Redis may be given up for away; pushing twice is harmless."""
    async with asyncio.timeout(20):
        while not await queue.push(job, 1):
            await asyncio.sleep(0.005)


async def test_a_push_wakes_an_idle_worker_without_waiting_for_its_next_look(queue, running, calls):
    async with running():
        job = uuid4()
        await _push(queue, job)
        async with asyncio.timeout(5):
            await calls.began.wait()
        assert calls.seen == [(str(job), 1)]


async def test_a_message_is_claimed_by_one_worker_only(queue, running, calls):
    async with running(), running():
        for _ in range(50):
            await _push(queue, uuid4())
        await _until(lambda: len(calls.seen) >= 50)
        assert len(set(calls.seen)) == len(calls.seen) == 50


async def test_no_more_runs_than_there_are_slots(queue, running, calls):
    calls.may_end.clear()
    async with running(max_jobs=2) as worker:
        for _ in range(5):
            await _push(queue, uuid4())
        await _until(lambda: len(calls.seen) == 2)
        assert len(worker.tasks) == 2
        calls.may_end.set()
        await _until(lambda: len(calls.seen) == 5)


async def test_a_finished_message_leaves_nothing_in_redis(queue, running, calls, redis_url):
    async with running() as worker:
        await _push(queue, uuid4())
        await _until(lambda: worker.jobs_complete == 1 and not worker.tasks)
        async with Redis.from_url(redis_url) as redis:
            assert await redis.keys("arq:job:*") == []
            assert await redis.keys("arq:in-progress:*") == []
            assert await redis.zcard("arq:queue") == 0


async def test_the_claim_of_a_dead_worker_ends_with_its_lease(
    queue, running, calls, redis_url, monkeypatch
):
    async with Redis.from_url(redis_url) as redis:
        await _push(queue, uuid4())
        [name] = await redis.zrange("arq:queue", 0, -1)
        await redis.set(b"arq:in-progress:" + name, "somebody dead", px=300)
        async with running(poll_delay=0.05):
            await asyncio.wait_for(calls.began.wait(), 10)


async def test_a_running_claim_is_renewed(queue, running, calls, redis_url, monkeypatch):
    monkeypatch.setattr(consumer_module, "RENEW_EVERY", 0.01)
    calls.may_end.clear()
    async with running(), Redis.from_url(redis_url) as redis:
        await _push(queue, uuid4())
        await calls.began.wait()
        [claim] = await redis.keys("arq:in-progress:*")
        await redis.pexpire(claim, 1_000)
        async with asyncio.timeout(10):
            while await redis.pttl(claim) < 10_000:
                await asyncio.sleep(0.01)


async def test_a_flushed_redis_stops_neither_the_work_nor_the_worker(
    queue, running, calls, redis_url
):
    calls.may_end.clear()
    async with running(poll_delay=0.05) as worker, Redis.from_url(redis_url) as redis:
        await _push(queue, uuid4())
        await calls.began.wait()
        await redis.flushall()
        calls.may_end.set()
        await _until(lambda: worker.jobs_complete == 1)
        await _push(queue, uuid4())
        await _until(lambda: worker.jobs_complete == 2)


async def test_cut_connections_do_not_end_the_worker(queue, running, calls, redis_url):
    async with running(poll_delay=0.05) as worker, Redis.from_url(redis_url) as redis:
        await redis.client_kill_filter(_type="normal", skipme=True)
        await _push(queue, uuid4())
        await _until(lambda: worker.jobs_complete == 1)


async def test_the_first_signal_lets_the_work_end_and_claims_nothing_more(queue, running, calls):
    calls.may_end.clear()
    async with running() as worker:
        await _push(queue, uuid4())
        await calls.began.wait()
        worker.handle_sig(signal.SIGTERM)
        assert worker.draining.is_set()
        await _push(queue, uuid4())
        calls.may_end.set()
        await _until(lambda: not worker.tasks)
        assert len(calls.seen) == 1


async def test_a_second_signal_cancels_the_work_at_once(queue, running, calls):
    calls.may_end.clear()
    async with running() as worker:
        await _push(queue, uuid4())
        await calls.began.wait()
        worker.handle_sig(signal.SIGTERM)
        worker.handle_sig(signal.SIGTERM)
        await _until(lambda: not worker.tasks)
        assert worker.jobs_complete == 0


async def test_without_a_time_limit_it_refuses_to_start(calls):
    with pytest.raises(ValueError, match="job_timeout"):
        Consumer([func(calls.run_job, name="run_job")], job_timeout=0, handle_signals=False)


async def test_arqs_command_line_makes_this_worker_with_our_settings():
    made = arq.worker.create_worker(WorkerSettings, handle_signals=False)
    assert isinstance(made, Consumer)
    assert made.max_jobs == WorkerSettings.max_jobs
    assert "run_job" in made.functions


async def test_a_worker_that_rests_leaves_the_work_to_another_one(
    queue, running, calls, monkeypatch
):
    monkeypatch.setattr(consumer_module, "REST", 3600)
    async with running(poll_delay=0.05) as tired:
        tired.ctx["rest"]()
        async with running() as other:
            for _ in range(20):
                await _push(queue, uuid4())
            await _until(lambda: other.jobs_complete == 20)
        assert tired.jobs_complete == 0


async def test_a_worker_that_has_rested_takes_what_lies_there(queue, running, calls, monkeypatch):
    monkeypatch.setattr(consumer_module, "REST", 0.2)
    async with running() as worker:
        worker.ctx["rest"]()
        await _push(queue, uuid4())
        await _until(lambda: len(calls.seen) == 1)


async def test_a_worker_that_was_paused_past_its_claim_runs_its_job_once(
    queue, running, calls, redis_url
):
    calls.may_end.clear()
    async with running(poll_delay=0.05) as worker, Redis.from_url(redis_url) as redis:
        await _push(queue, uuid4())
        await calls.began.wait()
        [claim] = await redis.keys("arq:in-progress:*")
        await redis.delete(claim)
        other = uuid4()
        await _push(queue, other)
        await _until(lambda: len(calls.seen) >= 2)
        assert [job for job, _ in calls.seen[1:]] == [str(other)]
        assert len(worker.tasks) == 2
        calls.may_end.set()
        await _until(lambda: worker.jobs_complete == 2 and not worker.tasks)


async def test_a_worker_that_redis_does_not_answer_from_the_start_can_be_stopped(
    calls, monkeypatch
):
    monkeypatch.setattr(consumer_module, "PATIENCE", 0.1)
    redis = new_redis()
    try:
        settings = RedisSettings.from_dsn(redis.server.url())
        worker = Consumer([func(calls.run_job)], redis_settings=settings, handle_signals=False)
        with redis.hanging():
            task = asyncio.create_task(worker.main())
            await asyncio.sleep(0)
            worker.handle_sig(signal.SIGTERM)
            await asyncio.wait_for(task, 20)
            await worker.close()
    finally:
        redis.stop()
