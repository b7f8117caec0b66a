"""Everything that a run does on a host goes under its fence; a newer attempt there ends the run."""

from pathlib import Path

import pytest

from tests.support.diary import FAILURE, Diary, plan, probe, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.remote.errors import StaleToken
from worker.remote.host import Fence
from worker.steps.step import Command, Upload, Wait

FENCE = Fence({"instance:1": 8}, "job", "attempt 1")

STEPS = {
    "a command": step("one"),
    "files": step("one", Upload(Path("out"), "apps/x")),
    "a question whether the site lives": step("one", probe()),
    "a question whether a wait is over": step("one", Wait(None, Command("ready"), 1, 60, FAILURE)),
}


@pytest.mark.parametrize("what", STEPS)
async def test_whoever_has_a_successor_does_nothing_on_the_host(what: str) -> None:
    host, diary = FakeHost(tokens={"instance:1": 9}), Diary()
    with pytest.raises(StaleToken):
        await run(plan(STEPS[what]), host, diary, fence=FENCE)
    assert host.history == []
    assert diary.lines == ["1 one started"]


@pytest.mark.parametrize("what", STEPS)
async def test_whoever_has_none_is_let_through(what: str) -> None:
    host = FakeHost(tokens={"instance:1": 8})
    assert (await run(plan(STEPS[what]), host, fence=FENCE)).error is None
    assert host.history


async def test_an_undo_is_refused_too_and_not_told_as_failed() -> None:
    host, diary = FakeHost({"one": Answer(1)}), Diary()

    def overtaken(line: str) -> None:
        if line.startswith("1 one failed"):
            host.tokens["instance:1"] = 9

    diary.hears = overtaken
    with pytest.raises(StaleToken):
        await run(plan(step("one", undo=Command("undo"))), host, diary, fence=FENCE)
    assert host.scripts == ["one"]
    assert "undone" not in diary.lines[-1]
