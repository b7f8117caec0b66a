"""A failure that takes nothing back, as the way back is known to lead nowhere."""

from dataclasses import replace

from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Past, StepFailed
from worker.remote.errors import HostUnreachable, StepTimeout
from worker.steps.step import Command, Stay

LOOK = replace(step("look"), finds="dead_1")
SWITCH = step("switch", undo=Command("switch back"))
WATCH = replace(step("watch"), stay=Stay(("dead_1",), "It stays.", "liftlock provision shop"))
WRONG = Answer(1)


async def test_a_look_that_is_answered_wrongly_finds_that_and_does_not_fail():
    outcome = await run(plan(LOOK, SWITCH), FakeHost({"look": WRONG}), Diary())
    assert (outcome.error, outcome.facts) == (None, {"dead_1": "yes"})


async def test_a_line_that_broke_says_nothing_of_the_site():
    host = FakeHost({"look": Answer(error=HostUnreachable("no answer", hint="ping"))})
    outcome = await run(plan(LOOK, SWITCH), host, Diary())
    assert (outcome.error.code, outcome.facts) == ("host-unreachable", {})
    assert "switch" not in host.scripts


async def test_a_look_that_is_dispensable_stands_in_nobodys_way_whatever_its_host_does():
    look = replace(LOOK, dispensable=True)
    gone = FakeHost({"look": Answer(error=HostUnreachable("no answer", hint="ping"))})
    late = FakeHost({"look": Answer(error=StepTimeout("too long", hint="look"))})
    for host, facts in ((gone, {}), (late, {"dead_1": "yes"})):
        outcome = await run(plan(look, SWITCH), host)
        assert (outcome.error, outcome.facts, host.scripts[-1]) == (None, facts, "switch")


async def test_a_look_that_is_answered_well_finds_nothing():
    assert (await run(plan(LOOK, SWITCH), FakeHost())).facts == {}


async def test_what_failed_stands_when_there_is_nothing_to_go_back_to():
    host = FakeHost({"look": WRONG, "watch": WRONG})
    outcome = await run(plan(LOOK, SWITCH, WATCH, on_failure=(step("log"),)), host)
    assert host.scripts == ["look", "switch", "watch", "log"]
    assert outcome.stands
    assert outcome.error.detail.endswith("It stays.")
    assert (outcome.error.code, outcome.error.hint) == ("step-failed", "liftlock provision shop")


async def test_it_is_taken_back_when_there_is():
    host = FakeHost({"watch": WRONG})
    outcome = await run(plan(LOOK, SWITCH, WATCH), host)
    assert host.scripts == ["look", "switch", "watch", "switch back"]
    assert not outcome.stands


async def test_and_when_another_step_fails():
    host = FakeHost({"look": WRONG, "ask": WRONG})
    outcome = await run(plan(LOOK, SWITCH, step("ask"), WATCH), host)
    assert host.scripts == ["look", "switch", "ask", "switch back"]
    assert not outcome.stands


async def test_the_next_attempt_leaves_it_as_well():
    host = FakeHost()
    failed = StepFailed("step-failed", "A step failed", "exit code 1", "look", "watch", 1)
    past = Past({**done({1: {"dead_1": "yes"}, 2: {}})}, failed=failed)
    outcome = await run(plan(LOOK, SWITCH, WATCH), host, past=past)
    assert (host.scripts, outcome.stands) == ([], True)
