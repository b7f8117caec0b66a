"""Holding locks: all or none, a note, a lifetime, their loss; Redis that is away or hangs."""

import asyncio
import time
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from app.gateways import locks as gateway
from app.gateways.locks import Held, LockLost, Locks, LocksUnavailable, Refused
from tests.integration.gateways.conftest import TTL, Asker


async def test_a_free_lock_is_held_with_a_note_and_a_lifetime(asker, redis):
    await asker().ask("instance:a", actor="me")
    assert b'"actor": "me"' in await redis.hget("lock:held:instance:a", "note")
    assert 14_000 < await redis.pttl("lock:held:instance:a") <= 15_000


async def test_a_held_lock_refuses_another_job_and_names_the_holder(asker):
    holder = asker(attempt=3)
    await holder.ask(actor="me")
    refused = await asker().ask()
    assert isinstance(refused, Refused)
    assert refused.holder == {"job": str(holder.id), "attempt": 3, "actor": "me"}
    assert (refused.position, refused.waits) == (1, False)


async def test_of_several_names_all_are_taken_or_none(asker):
    await asker().ask("b")
    assert not await asker(place=5).has("a", "b")
    assert await asker(place=2).has("a")


async def test_the_next_attempt_of_a_job_takes_over_its_own_lock(asker, locks):
    old = asker()
    await old.ask()
    new = asker(id=old.id, attempt=2)
    assert await new.has()
    with pytest.raises(LockLost):
        await locks.renew(old.held)
    assert await old.end() == []
    await locks.renew(new.held)


async def test_two_calls_of_one_attempt_do_not_both_hold_its_lock(asker, locks):
    one = asker()
    await one.ask()
    other = asker(id=one.id)
    refused = await other.ask()
    assert refused.position == 0
    await locks.renew(one.held)


async def test_a_call_that_met_another_of_its_attempt_is_told_when_that_had_no_turn(asker):
    one = asker()
    await one.ask()
    await asker(id=one.id).ask()
    assert await one.end(again=True) == [one.id]


async def test_a_call_that_met_another_of_its_attempt_is_forgotten_when_that_is_done(asker, redis):
    one = asker()
    await one.ask()
    await asker(id=one.id).ask()
    assert await one.end() == []
    assert await redis.keys() == []


async def test_a_renewed_lock_lives_on_with_its_newest_note(asker, locks, redis):
    holder = asker()
    await holder.ask(step="first")
    await redis.pexpire("lock:held:a", 1_000)
    await locks.renew(holder.held, note={"step": "second"})
    assert await redis.pttl("lock:held:a") > 10_000
    assert (await asker().ask()).holder == {"step": "second"}


async def test_a_renewal_without_a_note_leaves_the_old_one(asker, locks):
    holder = asker()
    await holder.ask(step="first")
    await locks.renew(holder.held)
    assert (await asker().ask()).holder["step"] == "first"


async def test_a_lock_that_vanished_is_reported_lost_and_not_revived(asker, locks, redis):
    holder = asker()
    await holder.ask()
    await redis.flushall()
    with pytest.raises(LockLost):
        await locks.renew(holder.held)
    assert await redis.keys() == []


async def test_when_one_of_several_locks_is_lost_the_others_are_not_renewed(asker, locks, redis):
    holder = asker()
    await holder.ask("a", "b")
    await redis.pexpire("lock:held:a", 1_000)
    await redis.delete("lock:held:b")
    with pytest.raises(LockLost):
        await locks.renew(holder.held)
    assert await redis.pttl("lock:held:a") <= 1_000


async def test_release_leaves_a_lock_that_somebody_else_took_meanwhile(asker, locks, redis):
    holder, other = asker(), asker()
    await holder.ask()
    await redis.delete("lock:held:a")
    await other.ask()
    assert await holder.end() == []
    await locks.renew(other.held)


async def test_a_lock_whose_holder_is_silent_is_free_when_its_life_is_over(asker, locks, redis):
    brief = Locks(redis, ttl=timedelta(seconds=1))
    silent, other = asker(), asker()
    silent.locks = brief
    await silent.ask()
    began = time.monotonic()
    async with asyncio.timeout(10):
        while not await other.has():
            await asyncio.sleep(0.05)
    assert time.monotonic() - began > 0.5
    # Held past its life: the late release takes nothing away.
    assert await silent.end() == []
    await locks.renew(other.held)


async def test_nothing_is_left_of_a_released_lock(asker, redis):
    holder = asker()
    await holder.ask("a", "b")
    await holder.end()
    assert await redis.keys() == []


async def test_every_key_has_a_lifetime(asker, redis):
    holder = asker()
    await holder.ask("a", "b")
    await asker().ask("a")
    await asker().ask("b", "c")
    await asker().ask("a")
    assert await _shortest(redis) > 0
    await holder.end()
    assert await _shortest(redis) > 0


async def _shortest(redis):
    return min([await redis.pttl(key) for key in await redis.keys()])


async def test_no_redis_means_nothing_is_known(tmp_path):
    async with Redis(unix_socket_path=str(tmp_path / "none")) as nowhere:
        locks = Locks(nowhere, ttl=TTL)
        with pytest.raises(LocksUnavailable):
            await Asker(locks).ask()
        held = Held(("a",), "nobody")
        with pytest.raises(LocksUnavailable):
            await locks.renew(held)
        assert await locks.release(held) == []


@pytest.fixture
async def silent(tmp_path, monkeypatch):
    """Locks on a server that takes everything and never answers."""
    monkeypatch.setattr(gateway, "_PATIENCE", 0.05)
    over = asyncio.Event()

    async def listen(_, writer):
        await over.wait()
        writer.close()

    path = str(tmp_path / "silent")
    server = await asyncio.start_unix_server(listen, path)
    async with Redis(unix_socket_path=path) as redis:
        yield Locks(redis, ttl=timedelta(seconds=15))
    over.set()
    server.close()


async def test_a_redis_that_hangs_is_given_up(silent):
    async with asyncio.timeout(20):
        with pytest.raises(LocksUnavailable, match="no answer"):
            await Asker(silent).ask()
        with pytest.raises(LocksUnavailable, match="no answer"):
            await silent.renew(Held(("a",), "nobody"))
        assert await silent.release(Held(("a",), "nobody")) == []
    assert "AsyncScript" not in str(asyncio.all_tasks())


async def test_a_cancelled_call_ends_also_when_redis_hangs(silent):
    task = asyncio.create_task(Asker(silent).ask())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=20)
    assert done
    assert task.cancelled()
