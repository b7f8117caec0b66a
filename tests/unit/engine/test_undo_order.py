"""What is taken back first, and what is taken back in Postgres alone."""

from dataclasses import replace

from app.domain.job import Ending, EndingWhy
from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Past, Stop
from worker.remote.errors import HostUnreachable
from worker.steps.step import Command, Note

ENDING = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00")
ON, OFF = Note("on", {"app_server": "2"}), Note("off", {"app_server": "2"})


def first(name, undo):
    return replace(step(name, undo=undo), undo_first=True)


async def test_traffic_turns_back_before_later_steps_are_undone():
    host = FakeHost({"five": Answer(1)})
    of = plan(
        step("one", undo=Command("undo one")),
        first("two", Command("undo two")),
        step("three", undo=Command("undo three")),
        first("four", Command("undo four")),
        step("five", undo=Command("undo five")),
    )
    await run(of, host)
    undone = [script for script in host.scripts if "undo" in script]
    assert undone == ["undo four", "undo two", "undo five", "undo three", "undo one"]


async def test_an_undo_that_goes_first_is_left_out_when_its_step_was_not_begun():
    host = FakeHost({"one": Answer(1)})
    await run(plan(step("one", undo=Command("undo one")), first("two", Command("undo"))), host)
    assert host.scripts == ["one", "undo one"]


async def test_an_order_to_stop_undoes_in_the_same_order():
    host = FakeHost()
    of = plan(first("one", Command("first")), step("two", undo=Command("last")), step("three"))
    outcome = await run(of, host, past=Past(done({1: {}, 2: {}})), stop=Stop(ENDING))
    assert host.scripts == ["first", "last"]
    assert outcome.undos == 2


async def test_a_note_is_taken_back_by_another_note_and_told():
    diary = Diary()
    of = plan(
        step("one", undo=Command("undo one")), replace(step("on", ON), undo=OFF), step("three")
    )
    outcome = await run(of, FakeHost({"three": Answer(1)}), diary)
    assert diary.lines[-3:] == ["note off {}", "2 on undone well", "1 one undone well"]
    assert outcome.undone


async def test_a_note_is_taken_back_though_the_host_is_silent():
    away = Answer(error=HostUnreachable("no answer", hint="ping"))
    diary = Diary()
    of = plan(replace(step("on", ON), undo=OFF), step("two", undo=Command("undo two")))
    outcome = await run(of, FakeHost({"two": away}), diary)
    assert diary.lines[-2:] == ["note off {}", "1 on undone well"]
    assert not outcome.undone


async def test_a_job_that_only_notes_has_nothing_to_prove_on_a_host():
    host = FakeHost()
    of = plan(replace(step("on", ON), undo=OFF), step("two", Note("x")))
    outcome = await run(of, host, past=Past(done({1: {}})), stop=Stop(ENDING))
    assert (host.reaped, outcome.unproven, outcome.undone) == ([], None, True)
