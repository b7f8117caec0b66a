from datetime import timedelta
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.gateways.locks import Held, LockLost, Locks, LocksUnavailable, Refused

TTL = timedelta(seconds=15)


@pytest.fixture
async def redis(redis_url):
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def locks(redis):
    return Locks(redis, ttl=TTL)


async def test_a_free_lock_is_held_with_a_note_and_a_lifetime(locks, redis):
    held = await locks.try_acquire(["instance:a"], job=uuid4(), note={"actor": "me"})
    assert isinstance(held, Held)
    assert b'"actor": "me"' in await redis.get("lock:instance:a")
    assert 14_000 < await redis.pttl("lock:instance:a") <= 15_000


async def test_a_held_lock_refuses_another_job_and_names_the_holder(locks):
    holder = uuid4()
    await locks.try_acquire(["instance:a"], job=holder, note={"actor": "me"})
    refused = await locks.try_acquire(["instance:a"], job=uuid4(), note={})
    assert isinstance(refused, Refused)
    assert refused.holder["job"] == str(holder)
    assert refused.holder["actor"] == "me"


async def test_of_several_names_all_are_taken_or_none(locks, redis):
    await locks.try_acquire(["b"], job=uuid4(), note={})
    assert isinstance(await locks.try_acquire(["a", "b"], job=uuid4(), note={}), Refused)
    assert await redis.get("lock:a") is None


async def test_the_next_attempt_of_a_job_takes_over_its_own_lock(locks):
    job = uuid4()
    old = await locks.try_acquire(["a"], job=job, note={"attempt": 1})
    assert isinstance(await locks.try_acquire(["a"], job=job, note={"attempt": 2}), Held)
    with pytest.raises(LockLost):
        await locks.renew(old)


async def test_a_renewed_lock_lives_on(locks, redis):
    held = await locks.try_acquire(["a"], job=uuid4(), note={})
    await redis.pexpire("lock:a", 1_000)
    await locks.renew(held)
    assert await redis.pttl("lock:a") > 10_000


async def test_a_lock_that_vanished_is_reported_lost_and_not_revived(locks, redis):
    held = await locks.try_acquire(["a"], job=uuid4(), note={})
    await redis.flushall()
    with pytest.raises(LockLost):
        await locks.renew(held)
    assert await redis.get("lock:a") is None


async def test_release_leaves_a_lock_that_somebody_else_took_meanwhile(locks, redis):
    held = await locks.try_acquire(["a"], job=uuid4(), note={})
    await redis.delete("lock:a")
    other = await locks.try_acquire(["a"], job=uuid4(), note={})
    await locks.release(held)
    await locks.renew(other)


async def test_no_redis_means_nothing_is_known(tmp_path):
    async with Redis(unix_socket_path=str(tmp_path / "none")) as nowhere:
        with pytest.raises(LocksUnavailable):
            await Locks(nowhere, ttl=TTL).try_acquire(["a"], job=uuid4(), note={})
