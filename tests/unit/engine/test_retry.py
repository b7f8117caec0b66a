"""What passes is tried again, within bounds and told; nothing else is."""

import pytest

from app.domain.job import Ending, EndingWhy
from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Begun, Interrupted, Past, RetryPolicy, Stop
from worker.remote.errors import (
    AuthFailed,
    ConnectionLost,
    HostBusy,
    HostKeyChanged,
    HostUnreachable,
    RemoteError,
    StaleToken,
    StepSilent,
    StepTimeout,
)
from worker.remote.host import Fence
from worker.steps.step import Command, Failure

AWAY = Answer(error=HostUnreachable("no answer", hint="ping"))
LOST = Answer(error=ConnectionLost("cut off", hint="look"))
MIRROR = Failure("repository-unreachable", "No repository", "git ls-remote")
FETCH = Command("fetch", failures={43: MIRROR})
ENDING = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00", by="ada")


async def test_a_host_that_comes_back_is_tried_again_and_told() -> None:
    host, diary = FakeHost({"one": [AWAY, AWAY, Answer()]}), Diary()
    outcome = await run(plan(step("one")), host, diary)
    assert outcome.error is None
    assert diary.lines == [
        "1 one started",
        "1 one retrying 2 of 4 host-unreachable met",
        "1 one retrying 3 of 4 host-unreachable met",
        "1 one succeeded 0 {}",
    ]


async def test_the_tries_are_bounded() -> None:
    host = FakeHost({"one": AWAY})
    outcome = await run(plan(step("one")), host)
    assert outcome.error is not None
    assert (outcome.error.code, len(host.ran)) == ("host-unreachable", 4)


async def test_the_tries_of_earlier_attempts_count() -> None:
    host, diary = FakeHost({"one": AWAY}), Diary()
    past = Past({1: Begun(tries=3, running=True)})
    await run(plan(step("one")), host, diary, past=past)
    assert len(host.ran) == 2
    assert "1 one retrying 4 of 4 host-unreachable met" in diary.lines


async def test_our_own_scripts_may_say_that_it_passes_and_the_old_end_is_removed_first() -> None:
    host, diary = FakeHost({"fetch": [Answer(43), Answer()]}), Diary()
    outcome = await run(plan(step("fetch", FETCH)), host, diary)
    assert outcome.error is None
    assert host.history[:3] == ["run job-1", "clean job-1", "run job-1"]
    assert "1 fetch retrying 2 of 4 repository-unreachable anew" in diary.lines


@pytest.mark.parametrize("answer", [LOST, AWAY, Answer(error=HostBusy("held", hint="wait"))])
async def test_a_step_that_may_still_run_is_met_under_its_name(answer: Answer) -> None:
    host = FakeHost({"one": [answer, Answer()]})
    assert (await run(plan(step("one")), host)).error is None
    assert host.history[:2] == ["run job-1", "run job-1"]


@pytest.mark.parametrize(("ended", "reaped"), [(True, ["reap job-0"]), (False, [])])
async def test_what_an_ended_job_left_there_is_ended_and_what_another_one_does_is_not(
    ended: bool,  # noqa: FBT001
    reaped: list[str],
) -> None:
    async def has_ended(job: str) -> bool:
        assert job == "job-0"
        return ended

    host = FakeHost({"one": [Answer(error=HostBusy("held", hint="", holder="job-0")), Answer()]})
    assert (await run(plan(step("one")), host, has_ended=has_ended)).error is None
    assert host.history[: 2 + len(reaped)] == ["run job-1", *reaped, "run job-1"]


async def test_a_host_that_does_not_say_who_holds_it_is_only_tried_again() -> None:
    host = FakeHost({"one": [Answer(error=HostBusy("held", hint="")), Answer()]})
    assert (await run(plan(step("one")), host)).error is None
    assert host.history[:2] == ["run job-1", "run job-1"]


@pytest.mark.parametrize(
    "error",
    [
        AuthFailed("refused", hint="key"),
        HostKeyChanged("other key", hint="pin"),
        StepTimeout("5 s", hint="raise"),
        StepSilent("5 s", hint="raise"),
    ],
)
async def test_what_does_not_pass_by_itself_is_not_tried_again(error: RemoteError) -> None:
    host = FakeHost({"one": Answer(error=error)})
    assert (await run(plan(step("one")), host)).error is not None
    assert len(host.ran) == 1


@pytest.mark.parametrize("code", [1, 42, 75, 137])
async def test_a_commands_own_exit_code_is_never_tried_again(code: int) -> None:
    host = FakeHost({"build": Answer(code)})
    await run(plan(step("build")), host)
    assert len(host.ran) == 1


async def test_an_undo_is_tried_again_too() -> None:
    host, diary = FakeHost({"one": Answer(1), "undo": [AWAY, Answer()]}), Diary()
    outcome = await run(plan(step("one", undo=Command("undo"))), host, diary)
    assert outcome.undone
    assert "1 one undo retrying 2 of 4 host-unreachable met" in diary.lines


async def test_a_host_that_stays_away_is_asked_for_no_further_undo() -> None:
    host, diary = FakeHost({"two": Answer(1), "undo two": AWAY, "undo one": AWAY}), Diary()
    of = plan(step("one", undo=Command("undo one")), step("two", undo=Command("undo two")))
    outcome = await run(of, host, diary)
    assert not outcome.undone
    assert "undo one" not in host.scripts
    assert diary.lines[-1] == "1 one undone host-unreachable"


async def test_a_diagnosis_is_not_tried_again() -> None:
    host = FakeHost({"one": Answer(1), "look": AWAY})
    await run(plan(step("one"), on_failure=(step("look"),)), host)
    assert host.scripts.count("look") == 1


async def test_a_worker_that_stops_does_not_wait_for_the_next_try() -> None:
    host, diary = FakeHost({"one": AWAY}), Diary()
    with pytest.raises(Interrupted):
        await run(
            plan(step("one")),
            host,
            diary,
            retry=RetryPolicy(first=600),
            stopping=lambda: bool(host.ran),
        )
    assert diary.lines[-1] == "1 one retrying 2 of 4 host-unreachable met"


async def test_every_command_carries_the_fence_and_a_stale_one_ends_the_run_untold() -> None:
    stale = Answer(error=StaleToken("older than 9", hint="nothing"))
    host, diary = FakeHost({"two": stale}), Diary()
    fence = Fence({"instance:1": 8}, "job", "attempt 1")
    with pytest.raises(StaleToken):
        await run(plan(step("one", undo=Command("undo")), step("two")), host, diary, fence=fence)
    assert [ran.fence for ran in host.ran] == [fence, fence]
    assert diary.lines[-1] == "2 two started"


async def test_a_job_that_failed_before_is_only_undone() -> None:
    host, diary = FakeHost({"two": Answer(1)}), Diary()
    of = plan(step("one", undo=Command("undo")), step("two"))
    failed = (await run(of, FakeHost({"two": Answer(1)}))).error
    past = Past({**done({1: {}}), 2: Begun()}, failed=failed)
    outcome = await run(of, host, diary, past=past)
    assert host.scripts == ["undo"]
    assert outcome.error == failed


def test_pauses_double_up_to_a_bound_and_vary_by_a_half() -> None:
    policy = RetryPolicy()
    for tries, wanted in ((1, 1), (2, 2), (3, 4), (9, 30)):
        pauses = [policy.pause(tries) for _ in range(50)]
        assert wanted / 2 <= min(pauses) < max(pauses) <= wanted * 1.5


async def test_an_order_to_stop_ends_the_pause() -> None:
    host, stop = FakeHost({"one": AWAY}), Stop()
    of = plan(step("one"))

    def order(line: str) -> None:
        if "retrying" in line:
            stop.order(ENDING)

    outcome = await run(of, host, Diary(hears=order), retry=RetryPolicy(first=600), stop=stop)
    assert outcome.stopped == ENDING
    assert len(host.ran) == 1
