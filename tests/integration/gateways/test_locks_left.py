"""Who leaves the line, dies in it, or is cancelled in the middle of a call."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.gateways import locks as gateway
from app.gateways.locks import Locks, LocksUnavailable, Waiter
from tests.integration.gateways.conftest import TTL, Asker
from tests.support.own_redis import new_redis


async def test_a_dead_waiter_at_the_head_is_passed_over(asker, redis):
    holder, dead, alive = asker(), asker(), asker()
    await holder.ask()
    await dead.ask()
    assert (await alive.ask()).position == 2
    await redis.delete(f"lock:ticket:{dead.id}")
    assert (await alive.ask()).position == 1
    assert await holder.end() == [alive.id]


async def test_a_dead_waiter_does_not_keep_a_free_lock_from_a_newcomer(asker, redis):
    holder, dead = asker(), asker()
    await holder.ask()
    await dead.ask()
    await redis.delete(f"lock:ticket:{dead.id}", "lock:held:a")
    assert await asker().has()


async def test_who_leaves_the_line_is_not_served(asker, locks):
    holder, gone, next_one = asker(), asker(), asker()
    await holder.ask()
    await gone.ask()
    await next_one.ask()
    assert await locks.leave(["a"], job=gone.id) == []
    assert await holder.end() == [next_one.id]


async def test_who_leaves_passes_on_what_was_handed_to_it(asker, locks):
    holder, gone, next_one = asker(), asker(), asker()
    await holder.ask()
    await gone.ask()
    await next_one.ask()
    await holder.end()
    assert await locks.leave(["a"], job=gone.id) == [Waiter(next_one.id, 1)]


async def test_leaving_does_not_touch_a_lock_that_the_job_holds(asker, locks):
    holder = asker()
    await holder.ask()
    assert await locks.leave(["a"], job=holder.id) == []
    await locks.renew(holder.held)


@pytest.mark.parametrize("yields", range(8))
async def test_a_cancelled_release_is_done_all_the_same(asker, redis, yields):
    holder = asker()
    await holder.ask()
    task = asyncio.create_task(holder.end())
    for _ in range(yields):
        await asyncio.sleep(0)
    if yields:
        task.cancel()
        task.cancel()
    await asyncio.wait({task})
    assert await redis.keys() == []
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("yields", range(1, 8))
async def test_a_cancelled_acquire_holds_nothing(asker, redis, yields):
    job = asker()
    task = asyncio.create_task(job.ask())
    for _ in range(yields):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert job.held is None or await job.end() == []
    assert await redis.keys() == []


@pytest.fixture
def own_redis():
    """A server that may hang."""
    server = new_redis()
    yield server
    server.stop()


async def test_what_redis_takes_late_for_a_try_that_was_given_up_is_undone_before_the_next(
    own_redis, monkeypatch
):
    monkeypatch.setattr(gateway, "_PATIENCE", 0.2)
    async with Redis.from_url(own_redis.server.url()) as redis:
        locks = Locks(redis, ttl=TTL)
        assert await Asker(locks).has("loaded")
        one, other = Asker(locks), Asker(locks)
        with own_redis.hanging():
            for job in (one, one):
                with pytest.raises(LocksUnavailable):
                    await job.ask()
        monkeypatch.undo()
        assert await other.has("b")
        assert await redis.keys("lock:held:a") == []
        assert await one.has()
