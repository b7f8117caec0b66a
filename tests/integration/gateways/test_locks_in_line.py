"""Standing in line: first come first served, priorities, the dead, what is handed over."""

import asyncio

from app.domain.job import place_of
from app.gateways.locks import Held, Waiter

MOST = 50


async def test_fifty_that_wait_are_served_in_the_order_in_which_they_came(asker):
    jobs = [asker() for _ in range(MOST + 1)]
    assert await jobs[0].has()
    positions = [(await job.ask()).position for job in jobs[1:]]
    assert positions == list(range(1, MOST + 1))
    by_id = {job.id: job for job in jobs}
    served, holder = [], jobs[0]
    while told := await holder.end():
        [holder] = [by_id[job] for job in told]
        assert await holder.has()
        served.append(holder)
    assert served == jobs[1:]


async def test_a_newcomer_does_not_overtake_when_the_lock_becomes_free_before_its_eyes(asker):
    holder, first, late = asker(), asker(), asker()
    await holder.ask()
    await first.ask()
    assert await holder.end() == [first.id]
    assert not await late.has()
    assert await first.has()


async def test_the_lower_place_goes_first_whoever_came_earlier(asker):
    holder, later, urgent = asker(place=1), asker(place=9), asker(place=3)
    await holder.ask()
    await later.ask()
    refused = await urgent.ask()
    assert refused.position == 1
    assert (await later.ask()).position == 2
    assert await holder.end() == [urgent.id]


def test_what_has_begun_goes_first_then_the_order_of_requests():
    begun = place_of(begun=True, priority=100, sequence=2**40 - 1)
    urgent = place_of(begun=False, priority=-100, sequence=9)
    first, second = (place_of(begun=False, priority=0, sequence=number) for number in (7, 8))
    last = place_of(begun=False, priority=100, sequence=1)
    assert begun < urgent < first < second < last
    assert place_of(begun=False, priority=100, sequence=2**40 - 1) % 2 == 1


async def test_a_lock_that_was_handed_over_and_not_taken_goes_to_an_earlier_turn(asker):
    holder, waiter, begun = asker(place=5), asker(place=6), asker(place=1)
    await holder.ask()
    await waiter.ask()
    assert await holder.end() == [waiter.id]
    assert await begun.has()
    assert not await waiter.has()
    assert await begun.end() == [waiter.id]


async def test_a_job_that_had_no_turn_gives_the_lock_only_to_an_earlier_one(asker):
    early, refused, late = asker(), asker(), asker()
    await refused.ask()
    await late.ask()
    assert await refused.end(again=True) == []
    assert await late.has()
    assert not await early.has()
    assert await late.end(again=True) == [early.id]


async def test_who_waits_behind_a_live_one_is_told_so(asker):
    holder, first, second = asker(), asker(), asker()
    await holder.ask("a")
    await first.ask("a", "b", actor="first")
    refused = await second.ask("b")
    assert refused.waits
    assert refused.holder["actor"] == "first"
    assert refused.position == 2


async def test_nobody_overtakes_at_any_of_its_names(asker):
    holder, both, one = asker(), asker(), asker()
    await holder.ask("a")
    await both.ask("a", "b")
    assert not await one.has("b")
    assert await holder.end() == [both.id]
    assert await both.has("a", "b")
    assert await both.end() == [one.id]


async def test_a_release_serves_different_waiters_of_its_names_at_once(asker):
    holder, one, other = asker(), asker(), asker()
    await holder.ask("a", "b")
    await one.ask("a")
    await other.ask("b")
    assert await holder.end() == [one.id, other.id]
    assert await one.has("a")
    assert await other.has("b")


async def test_two_that_want_the_same_two_locks_a_thousand_times_never_deadlock(asker):
    async def work(names, numbers):
        for place in numbers:
            job = asker(place=place)
            while not await job.has(*names):
                await asyncio.sleep(0)
            await job.end()

    async with asyncio.timeout(60):
        await asyncio.gather(
            work(("a", "b"), range(0, 2000, 2)), work(("b", "a"), range(1, 2000, 2))
        )


async def test_a_lock_that_nobody_takes_after_the_hand_over_lapses_within_seconds(asker, redis):
    holder, gone, late = asker(), asker(), asker()
    await holder.ask()
    await gone.ask()
    assert await holder.end() == [gone.id]
    assert 0 < await redis.pttl("lock:held:a") <= 5_000
    await redis.delete("lock:held:a")  # as its end does
    assert await late.has()


async def test_a_lock_that_is_taken_after_the_hand_over_has_its_whole_life(asker, redis):
    holder, waiter = asker(), asker()
    await holder.ask()
    await waiter.ask()
    await holder.end()
    assert await waiter.has()
    assert await redis.pttl("lock:held:a") > 10_000


async def test_the_attempt_that_waits_is_the_one_that_is_told(asker, locks):
    holder, waiter = asker(), asker(attempt=4)
    await holder.ask()
    await waiter.ask()
    assert await locks.release(holder.held) == [Waiter(waiter.id, 4)]


async def test_after_the_loss_of_everything_the_line_forms_again(asker, redis):
    holder, first, second = asker(), asker(), asker()
    await holder.ask()
    await first.ask()
    await second.ask()
    await redis.flushall()
    assert await holder.has()
    assert (await second.ask()).position == 1
    assert (await first.ask()).position == 1
    assert await holder.end() == [first.id]


async def test_a_late_try_of_an_older_attempt_does_not_call_that_one_back(asker):
    holder, new = asker(), asker(attempt=2)
    await holder.ask()
    await new.ask()
    await asker(id=new.id, attempt=1).ask()
    assert isinstance(holder.held, Held)
    assert await holder.locks.release(holder.held) == [Waiter(new.id, 2)]
