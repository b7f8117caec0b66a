"""Steps that facts make needless are skipped, and leave nothing to undo."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.job import Answer as AnswerOf
from app.domain.job import Ending, EndingWhy
from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Asked, Begun, Past, Stop
from worker.steps.step import Command, Step

ENDING = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00")
LOOK = Command("look", reports=("installed_1", "installed_2"))
BOTH = ("installed_1", "installed_2")


def needless(name: str, undo: Command | None = None, unless: tuple[str, ...] = BOTH) -> Step:
    return replace(step(name, undo=undo), unless=unless)


def found(first: str, second: str) -> Answer:
    return Answer(says=(f"installed_1={first}\ninstalled_2={second}\n",))


async def test_a_step_is_skipped_when_each_of_its_facts_is_yes() -> None:
    host, diary = FakeHost({"look": found("yes", "yes")}), Diary()
    await run(plan(step("look", LOOK), needless("build"), step("tell")), host, diary)
    assert host.scripts == ["look", "tell"]
    assert diary.lines[2:] == ["2 build skipped", "3 tell started", "3 tell succeeded 0 {}"]


@pytest.mark.parametrize("facts", [("yes", "no"), ("no", "yes"), ("no", "no"), ("yes", "YES")])
async def test_one_fact_that_is_not_yes_has_it_done(facts: tuple[str, str]) -> None:
    host = FakeHost({"look": found(*facts)})
    await run(plan(step("look", LOOK), needless("build")), host)
    assert host.scripts == ["look", "build"]


async def test_a_fact_that_nobody_found_has_it_done() -> None:
    host = FakeHost()
    await run(plan(needless("build")), host)
    assert host.scripts == ["build"]


async def test_a_step_that_says_nothing_is_never_skipped() -> None:
    host = FakeHost({"look": found("yes", "yes")})
    await run(plan(step("look", LOOK), needless("build", unless=())), host)
    assert host.scripts == ["look", "build"]


async def test_a_skipped_step_is_not_undone() -> None:
    host = FakeHost({"look": found("yes", "yes"), "tell": Answer(1)})
    of = plan(step("look", LOOK), needless("build", Command("undo build")), step("tell"))
    outcome = await run(of, host)
    assert host.scripts == ["look", "tell"]
    assert outcome.undone


async def test_nor_is_one_that_an_earlier_attempt_skipped() -> None:
    host = FakeHost()
    of = plan(step("look", LOOK), needless("build", Command("undo build")), step("tell"))
    past = Past(done({1: dict.fromkeys(BOTH, "yes")}), skipped=frozenset({2}))
    outcome = await run(of, host, past=past, stop=Stop(ENDING))
    assert (host.scripts, outcome.undos) == ([], 0)


async def test_what_an_earlier_attempt_skipped_is_not_skipped_again() -> None:
    host, diary = FakeHost(), Diary()
    past = Past(done({1: dict.fromkeys(BOTH, "yes")}), skipped=frozenset({2}))
    await run(plan(step("look", LOOK), needless("build"), needless("more")), host, diary, past=past)
    assert diary.lines == ["3 more skipped"]


async def test_a_step_that_was_begun_is_carried_through() -> None:
    host = FakeHost()
    past = Past({**done({1: dict.fromkeys(BOTH, "yes")}), 2: Begun(running=True)})
    await run(plan(step("look", LOOK), needless("build")), host, past=past)
    assert host.scripts == ["build"]


async def test_a_look_that_is_not_needed_is_not_repeated_after_a_wait() -> None:
    host, diary = FakeHost({"look": found("yes", "yes")}), Diary()
    of = plan(
        step("look", LOOK, again=True),
        replace(needless("reach"), again=True),
        step("ask"),
    )
    facts = dict.fromkeys(BOTH, "yes")
    asked = Asked(3, datetime.now(UTC), "who knows", AnswerOf.DONE)
    past = Past(
        {**done({1: facts}), 3: Begun(running=True)},
        skipped=frozenset({2}),
        asked=asked,
    )
    await run(of, host, diary, past=past)
    assert host.scripts == ["look"]


async def test_an_order_to_stop_comes_before_skipping() -> None:
    diary = Diary()
    past = Past(done({1: dict.fromkeys(BOTH, "yes")}))
    of = plan(step("look", LOOK), needless("build"))
    await run(of, FakeHost(), diary, past=past, stop=Stop(ENDING))
    assert "2 build skipped" not in diary.lines
