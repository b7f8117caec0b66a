import time
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.gateways import queue as queue_module
from app.gateways.claims import Claims
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


async def test_what_a_dead_worker_has_claimed_is_pushed_to_the_others(queue, redis, monkeypatch):
    monkeypatch.setattr(queue_module.time, "time", lambda: 1_000.0)
    job = uuid4()
    await queue.push(job, 1)
    [name] = await redis.zrange("arq:queue", 0, -1)
    await redis.set(b"arq:in-progress:" + name, "somebody dead", px=15_000)
    await queue.push(job, 1)
    names = await redis.zrange("arq:queue", 0, -1)
    assert len(names) == 2
    assert all(one.startswith(f"{job}:1:".encode()) for one in names)


async def test_an_absent_redis_is_no_error_for_the_caller(tmp_path):
    queue = JobQueue.connect(f"unix://{tmp_path}/none")
    assert await queue.push(uuid4(), 1) is False
    assert await queue.ping() is False
    await queue.close()


async def test_a_redis_that_answers_and_takes_no_writes_is_not_ready(queue, redis, redis_url):
    assert await queue.ping() is True
    user = f"reader-{uuid4().hex}"
    await redis.acl_setuser(user, enabled=True, nopass=True, keys=["*"], categories=["-@write"])
    await redis.execute_command("ACL", "SETUSER", user, "+ping", "+@read", "+@connection")
    url = f"{redis_url}{'&' if '?' in redis_url else '?'}username={user}"
    reader = JobQueue.connect(url)
    try:
        async with Redis.from_url(url) as client:
            assert await client.ping()
        assert await reader.ping() is False
    finally:
        await reader.close()
        await redis.acl_deluser(user)


@pytest.mark.parametrize("ahead", [3600, -3600])
async def test_a_push_can_be_taken_whatever_the_clock_of_who_pushed_it(
    queue, redis, monkeypatch, ahead
):
    job, now = uuid4(), time.time() + ahead
    monkeypatch.setattr("arq.utils.time", lambda: now)
    await queue.push(job, 1, again=True)
    monkeypatch.undo()
    [(name, _)] = await Claims(redis, "arq:queue").take(1)
    assert name.startswith(f"{job}:1:")


async def test_a_worker_whose_clock_is_late_takes_what_lies_there(queue, redis, monkeypatch):
    await queue.push(uuid4(), 1)
    monkeypatch.setattr("arq.utils.time", lambda: 1_000.0)
    assert len(await Claims(redis, "arq:queue").take(1)) == 1
