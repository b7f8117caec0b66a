"""A plan that waits: shortly in the worker, for longer without one."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.job import Ending, EndingWhy
from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Begun, Past, Stop, Suspended, WaitingPolicy
from worker.plans.plan import Plan
from worker.steps.step import Command, Failure, Wait

LATE = Failure("preflight-failed", "It did not come", "start it")
NOT_YET = Answer(1, ("no database\n",))


def waiting(*, every: float = 0.001, longest: float = 600, until: datetime | None = None) -> Plan:
    wait = Wait(until, Command("is it there"), every, longest, LATE)
    return plan(step("look", again=True), step("wait", wait), step("build"))


def begun(seconds: float) -> Past:
    """An earlier attempt looked at the host and began to wait."""
    since = datetime.now(UTC) - timedelta(seconds=seconds)
    return Past({**done({1: {}}), 2: Begun(since=since, running=True)})


async def test_what_is_there_is_not_waited_for() -> None:
    host, diary = FakeHost({"is it there": Answer(0, ("ready\n",))}), Diary()
    assert (await run(waiting(), host, diary)).error is None
    assert diary.lines[2:4] == ["2 wait started", "2 wait succeeded None {} (ready)"]


async def test_a_short_wait_stays_in_the_worker() -> None:
    host = FakeHost({"is it there": [NOT_YET, NOT_YET, Answer()]})
    assert (await run(waiting(), host)).error is None
    assert host.scripts.count("is it there") == 3
    assert host.history.count("run job-2-asked") == 3


async def test_a_longer_wait_gives_the_job_back_and_says_what_for() -> None:
    host, diary = FakeHost({"is it there": NOT_YET}), Diary()
    with pytest.raises(Suspended) as caught:
        await run(waiting(every=60), host, diary)
    wait = caught.value
    assert (wait.kind, wait.number, wait.step) == ("probe", 2, "wait")
    assert wait.reason == "wait: no database"
    assert timedelta(seconds=50) < wait.until - datetime.now(UTC) <= timedelta(seconds=60)
    assert host.scripts == ["look", "is it there"]


async def test_looks_without_a_worker_are_not_closer_than_a_short_wait() -> None:
    host = FakeHost({"is it there": NOT_YET})
    with pytest.raises(Suspended) as caught:
        await run(waiting(every=1), host, past=begun(30), waiting=WaitingPolicy(short=10))
    assert caught.value.until - datetime.now(UTC) > timedelta(seconds=8)
    assert host.scripts == ["is it there"]


async def test_when_it_has_come_the_host_is_looked_at_again() -> None:
    host, diary = FakeHost(), Diary()
    assert (await run(waiting(), host, diary, past=begun(30))).error is None
    assert host.scripts == ["is it there", "look", "build"]
    assert diary.lines[:3] == [
        "2 wait succeeded None {}",
        "1 look started anew",
        "1 look succeeded 0 {}",
    ]
    assert host.history.index("clean job-1") < host.history.index("run job-1")


async def test_a_look_leaves_nothing_on_the_host() -> None:
    host = FakeHost({"is it there": NOT_YET})
    with pytest.raises(Suspended):
        await run(waiting(every=60), host)
    assert host.history[-2:] == ["run job-2-asked", "clean job-2-asked"]


async def test_what_does_not_come_in_time_fails_counted_from_the_first_look() -> None:
    host = FakeHost({"is it there": NOT_YET})
    outcome = await run(waiting(longest=600), host, past=begun(601))
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.hint) == ("preflight-failed", "start it")
    assert outcome.error.detail == "web1, after 600 s: no database"


async def test_a_time_is_waited_for_without_a_worker() -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    of = plan(step("wait", Wait(until, None, 60, 60, LATE)))
    with pytest.raises(Suspended) as caught:
        await run(of, FakeHost())
    assert caught.value.kind == "time"
    assert abs(caught.value.until - until) < timedelta(seconds=1)


async def test_a_time_that_has_come_is_not_waited_for() -> None:
    until = datetime.now(UTC) - timedelta(seconds=1)
    of = plan(step("wait", Wait(until, None, 60, 0, LATE)))
    assert (await run(of, FakeHost())).error is None


async def test_an_order_to_stop_ends_a_wait_in_the_worker() -> None:
    stop = Stop()
    host, diary = FakeHost({"is it there": NOT_YET}), Diary()
    ending = Ending(EndingWhy.DEADLINE, at="2026-01-01T00:00:00+00:00")
    diary.hears = lambda line: stop.order(ending) if line == "2 wait started" else None
    outcome = await run(waiting(every=9), host, diary, stop=stop)
    assert outcome.stopped == ending
    assert diary.lines[-1] == "2 wait canceled"
