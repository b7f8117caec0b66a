"""A step whose process is gone without an exit code: repeated, asked about, or found out."""

from datetime import UTC, datetime

import pytest

from app.domain.job import Answer as Said
from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Asked, Begun, Past, Suspended
from worker.remote.errors import StepVanished
from worker.steps.step import Command, OnUnknown

GONE = Answer(error=StepVanished("web1 was restarted", hint="look"))
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
QUESTION = Command("is it done")


async def test_it_is_repeated_from_a_clean_folder() -> None:
    host, diary = FakeHost({"one": [GONE, Answer()]}), Diary()
    assert (await run(plan(step("one")), host, diary)).error is None
    assert host.history[:3] == ["run job-1", "clean job-1", "run job-1"]
    assert diary.lines == [
        "1 one started",
        "1 one unknown step-vanished",
        "1 one retrying 2 of 4 step-vanished anew",
        "1 one succeeded 0 {}",
    ]


async def test_the_repetitions_are_bounded() -> None:
    host = FakeHost({"one": GONE})
    outcome = await run(plan(step("one")), host)
    assert outcome.error is not None
    assert (outcome.error.code, len(host.ran)) == ("step-vanished", 4)


async def test_a_question_to_the_host_may_find_it_done() -> None:
    host, diary = FakeHost({"one": GONE}), Diary()
    of = plan(step("one", on_unknown=QUESTION), step("two"))
    assert (await run(of, host, diary)).error is None
    assert host.scripts == ["one", "is it done", "two"]
    assert "1 one succeeded None {} (It was done already" in diary.lines[2]


async def test_a_question_to_the_host_may_find_it_not_done() -> None:
    host = FakeHost({"one": [GONE, Answer()], "is it done": Answer(1)})
    assert (await run(plan(step("one", on_unknown=QUESTION)), host)).error is None
    assert host.scripts == ["one", "is it done", "one"]


@pytest.mark.parametrize("ask", [OnUnknown.ASK, QUESTION])
async def test_a_person_is_asked_when_nobody_else_knows(ask: OnUnknown | Command) -> None:
    host, diary = FakeHost({"one": GONE, "is it done": Answer(2)}), Diary()
    of = plan(step("zero", undo=Command("undo")), step("one", on_unknown=ask))
    with pytest.raises(Suspended) as caught:
        await run(of, host, diary)
    asked = caught.value
    assert (asked.kind, asked.number, asked.step) == ("question", 2, "one")
    assert "liftlock jobs answer job done|repeat|failed" in asked.reason
    assert diary.lines[-1] == "2 one unknown step-vanished"
    assert "undo" not in host.scripts
    assert "job-2" not in host.cleaned


def asked(answer: Said | None) -> Past:
    begun = {**done({1: {}}), 2: Begun(running=True, since=SINCE)}
    return Past(begun, asked=Asked(2, SINCE, "Was it done?", answer))


def of() -> object:
    return plan(
        step("look", again=True),
        step("one", undo=Command("undo"), on_unknown=OnUnknown.ASK),
        step("two"),
    )


async def test_what_is_answered_as_done_is_done_and_the_host_is_looked_at_again() -> None:
    host, diary = FakeHost(), Diary()
    assert (await run(of(), host, diary, past=asked(Said.DONE))).error is None
    assert diary.lines == [
        "2 one succeeded None {} (Somebody answered that it was done.)",
        "1 look started anew",
        "1 look succeeded 0 {}",
        "3 two started",
        "3 two succeeded 0 {}",
    ]


async def test_what_is_answered_as_to_repeat_is_run_anew() -> None:
    host, diary = FakeHost(), Diary()
    assert (await run(of(), host, diary, past=asked(Said.REPEAT))).error is None
    assert host.history[:4] == ["clean job-1", "run job-1", "clean job-2", "run job-2"]
    assert "2 one started anew" in diary.lines


async def test_what_is_answered_as_failed_fails_and_is_undone() -> None:
    host = FakeHost()
    outcome = await run(of(), host, past=asked(Said.FAILED))
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.step) == ("step-vanished", "one")
    assert host.scripts == ["undo"]


async def test_without_an_answer_the_question_stays_as_it_was() -> None:
    host = FakeHost()
    with pytest.raises(Suspended) as caught:
        await run(of(), host, past=asked(None))
    assert (caught.value.since, caught.value.reason) == (SINCE, "Was it done?")
    assert host.ran == []
