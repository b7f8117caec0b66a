"""Everything that a run does on a host goes under its fence; a newer attempt there ends the run."""

from pathlib import Path

import pytest

from tests.support.diary import FAILURE, Diary, plan, probe, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.remote.errors import StaleToken
from worker.remote.host import Fence
from worker.steps.step import Command, Upload, Wait, Watch

FENCE = Fence({"instance:1": 8}, "job", "attempt 1")

STEPS = {
    "a command": step("one"),
    "files": step("one", Upload(Path("out"), "apps/x")),
    "a question whether the site lives": step("one", probe()),
    "a watch over the site": step("one", Watch((probe(alive=None),), 0)),
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


async def test_who_is_overtaken_at_the_end_has_not_succeeded() -> None:
    """What it left running would stay, and nobody would come for it."""
    host, diary = FakeHost(), Diary()

    def overtaken(line: str) -> None:
        if line.startswith("1 one succeeded"):
            host.tokens["instance:1"] = 9

    diary.hears = overtaken
    with pytest.raises(StaleToken):
        await run(plan(step("one")), host, diary, fence=FENCE)
    assert host.reaped == []


class _OvertakenAfterTheReap(FakeHost):
    async def reap(self, job: str, fence: Fence | None = None) -> None:
        await super().reap(job, fence)
        self.tokens["instance:1"] = 9


@pytest.mark.parametrize("ends", [0, 1])
async def test_who_is_overtaken_before_its_folders_are_gone_tells_so(ends: int) -> None:
    host = _OvertakenAfterTheReap({"one": Answer(ends)})
    with pytest.raises(StaleToken):
        await run(plan(step("one")), host, fence=FENCE)
    assert host.reaped == ["job"]
    assert host.cleaned == []


async def test_who_is_overtaken_while_it_asks_does_not_act_on_the_answer() -> None:
    host = FakeHost()
    diary = Diary()

    async def ask(*names: str, fence: Fence | None = None) -> None:
        if host.ran:
            host.tokens["instance:1"] = 9
        host._compare(fence)

    host.clean = ask  # type: ignore[method-assign]
    with pytest.raises(StaleToken):
        await run(plan(STEPS["a question whether a wait is over"]), host, diary, fence=FENCE)
    assert diary.lines == ["1 one started"]


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
