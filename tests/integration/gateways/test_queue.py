from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.gateways import queue as queue_module
from app.gateways.queue import JobQueue, deserialize


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url) as client:
        yield client


async def test_a_push_is_json_with_the_job_and_its_attempt(queue, redis):
    job = uuid4()
    assert await queue.push(job, 3)
    [key] = await redis.keys("arq:job:*")
    message = deserialize(await redis.get(key))
    assert message["f"] == "run_job"
    assert message["a"] == [str(job), 3]


async def test_pushing_twice_queues_once(queue, redis, monkeypatch):
    monkeypatch.setattr(queue_module.time, "time", lambda: 1_000.0)
    job = uuid4()
    await queue.push(job, 1)
    await queue.push(job, 1)
    assert await redis.zcard("arq:queue") == 1


async def test_an_absent_redis_is_no_error_for_the_caller(tmp_path):
    queue = JobQueue.connect(f"unix://{tmp_path}/none")
    assert await queue.push(uuid4(), 1) is False
    assert await queue.ping() is False
    await queue.close()
