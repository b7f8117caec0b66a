"""An order to stop: what runs is ended with proof, what was begun is undone, and nothing more."""

import asyncio
from dataclasses import replace

import pytest

from app.domain.job import Ending, EndingWhy
from tests.support.diary import ALIVE, FAILURE, Diary, done, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Begun, Past, Stop
from worker.remote.errors import HostUnreachable, ProcessesSurvived
from worker.remote.host import HttpAnswer
from worker.steps.step import Command, Note, OnCancel, Probe, ReadHostKey

ENDING = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00", by="ada")
FORCED = replace(ENDING, force=True)
SURVIVED = ProcessesSurvived("process 4711 lives", hint="kill -9 4711")
AWAY = HostUnreachable("no answer", hint="ping")


def stuck() -> Answer:
    return Answer(until=asyncio.Event())


async def test_a_running_step_is_killed_and_all_that_was_begun_is_undone_with_proof() -> None:
    host, diary, stop = FakeHost({"two": stuck()}), Diary(), Stop()
    of = plan(
        step("one", undo=Command("undo one")),
        step("two", undo=Command("undo two")),
        step("three", undo=Command("undo three")),
    )
    running = asyncio.create_task(run(of, host, diary, stop=stop))
    await host.busy.wait()
    stop.order(ENDING)
    outcome = await running
    assert diary.lines[2:] == [
        "2 two started",
        "stopping 2 two now, 2 undos",
        "2 two canceled",
        "2 two undone well",
        "1 one undone well",
    ]
    assert host.history == [
        "run job-1",
        "run job-2",
        "kill job-2",
        "run job-2-undo",
        "run job-1-undo",
        "reap job",
        "clean job-1 job-2 job-2-undo job-1-undo",
    ]
    assert (outcome.stopped, outcome.undone, outcome.unproven) == (ENDING, True, None)
    assert (outcome.begun, outcome.undos) == (2, 2)


async def test_a_step_that_would_rather_finish_does_and_is_told_so() -> None:
    answer = stuck()
    host, diary, stop = FakeHost({"one": answer}), Diary(), Stop()
    of = plan(step("one", on_cancel=OnCancel.FINISH), step("two"))
    diary.hears = lambda line: answer.until.set() if "after it" in line else None
    running = asyncio.create_task(run(of, host, diary, stop=stop))
    await host.busy.wait()
    stop.order(ENDING)
    outcome = await running
    assert diary.lines == [
        "1 one started",
        "stopping 1 one after it, 0 undos",
        "1 one succeeded 0 {}",
    ]
    assert (host.killed, host.scripts) == ([], ["one"])
    assert outcome.stopped == ENDING


async def test_force_stops_also_what_would_rather_finish() -> None:
    host, diary, stop = FakeHost({"one": stuck()}), Diary(), Stop()
    diary.hears = lambda line: stop.order(FORCED) if "after it" in line else None
    of = plan(step("one", on_cancel=OnCancel.FINISH))
    running = asyncio.create_task(run(of, host, diary, stop=stop))
    await host.busy.wait()
    stop.order(ENDING)
    outcome = await running
    assert host.killed == ["job-1"]
    assert diary.lines[-2:] == ["stopping 1 one now, 0 undos", "1 one canceled"]
    assert outcome.stopped == FORCED


async def test_a_process_that_survives_is_never_called_canceled() -> None:
    host, diary, stop = FakeHost({"one": stuck()}, survivors=[SURVIVED, SURVIVED]), Diary(), Stop()
    running = asyncio.create_task(run(plan(step("one")), host, diary, stop=stop))
    await host.busy.wait()
    stop.order(ENDING)
    outcome = await running
    assert "1 one unknown process-survived" in diary.lines
    assert not [line for line in diary.lines if "canceled" in line]
    assert outcome.unproven is not None
    assert "4711" in outcome.unproven.detail


async def test_what_a_kill_could_not_prove_the_last_look_may() -> None:
    host, stop = FakeHost({"one": stuck()}, survivors=[SURVIVED, None]), Stop()
    running = asyncio.create_task(run(plan(step("one")), host, stop=stop))
    await host.busy.wait()
    stop.order(ENDING)
    assert (await running).unproven is None


async def test_a_host_that_is_away_leaves_it_unproven_and_its_folders_alone() -> None:
    host = FakeHost({"undo": Answer(error=AWAY)}, survivors=[AWAY] * 9)
    of = plan(step("one", undo=Command("undo")), step("two"))
    outcome = await run(of, host, past=Past(done({1: {}})), stop=Stop(ENDING))
    assert outcome.unproven is not None
    assert outcome.unproven.code == "host-unreachable"
    assert not outcome.undone
    assert host.cleaned == []


async def test_an_undo_that_fails_leaves_it_unproven() -> None:
    host = FakeHost({"undo": Answer(1)})
    of = plan(step("one", undo=Command("undo")), step("two"))
    outcome = await run(of, host, past=Past(done({1: {}})), stop=Stop(ENDING))
    assert outcome.unproven is not None
    assert outcome.unproven.step == "one"


async def test_a_job_that_is_to_end_runs_no_step() -> None:
    host, diary = FakeHost(), Diary()
    of = plan(step("one", undo=Command("undo one")), step("two", undo=Command("undo two")))
    past = Past({**done({1: {}}), 2: Begun(running=True)})
    outcome = await run(of, host, diary, past=past, stop=Stop(ENDING))
    assert diary.lines == [
        "stopping nothing now, 2 undos",
        "2 two undone well",
        "1 one undone well",
    ]
    assert host.history[0] == "reap job"
    assert host.scripts == ["undo two", "undo one"]
    assert outcome.stopped == ENDING


async def test_a_step_of_a_lost_worker_that_would_rather_finish_is_met_and_not_begun() -> None:
    host = FakeHost()
    of = plan(step("one", Command("migrate", timeout=9), on_cancel=OnCancel.FINISH))
    past = Past({1: Begun(running=True)})
    await run(of, host, past=past, stop=Stop(ENDING))
    assert [(ran.name, ran.command.script, ran.command.timeout) for ran in host.ran] == [
        ("job-1", ":", 9)
    ]
    assert host.history[:2] == ["run job-1", "reap job"]


async def test_a_lost_workers_step_is_not_waited_for_when_the_order_is_forced() -> None:
    host = FakeHost()
    of = plan(step("one", on_cancel=OnCancel.FINISH))
    await run(of, host, past=Past({1: Begun(running=True)}), stop=Stop(FORCED))
    assert host.scripts == []


async def test_an_order_that_comes_when_all_is_done_comes_too_late() -> None:
    host, diary = FakeHost(), Diary()
    of = plan(step("one", undo=Command("undo")))
    outcome = await run(of, host, diary, past=Past(done({1: {}})), stop=Stop(ENDING))
    assert (outcome.stopped, outcome.error, diary.lines) == (None, None, [])


async def test_an_order_before_the_first_step_changes_nothing() -> None:
    host = FakeHost()
    outcome = await run(plan(step("one")), host, stop=Stop(ENDING))
    assert (outcome.begun, host.scripts) == (0, [])


async def test_a_job_that_ran_nothing_on_its_host_has_nothing_to_prove_there() -> None:
    host = FakeHost(survivors=[AWAY] * 9)
    of = plan(step("read", ReadHostKey()), step("record", Note("host.key")))
    outcome = await run(of, host, past=Past({1: Begun(running=True)}), stop=Stop(ENDING))
    assert (outcome.unproven, host.reaped) == (None, [])


async def test_a_probe_is_left_at_once() -> None:
    host, stop = FakeHost(pages=[HttpAnswer(500, "")]), Stop()
    patient = Probe(20000, "/", (200,), 1000, 600, 1, None, ALIVE, FAILURE)
    of = plan(step("start", undo=Command("stop")), step("check", patient))
    running = asyncio.create_task(run(of, host, stop=stop))
    async with asyncio.timeout(10):
        while not host.asked:
            await asyncio.sleep(0)
        stop.order(ENDING)
        outcome = await running
    assert outcome.stopped == ENDING
    assert host.scripts[-1] == "stop"


async def test_nothing_is_diagnosed_when_a_job_is_stopped() -> None:
    host = FakeHost()
    of = plan(step("one"), step("two"), on_failure=(step("look"),))
    await run(of, host, past=Past(done({1: {}})), stop=Stop(ENDING))
    assert host.scripts == []


async def test_an_error_of_the_work_comes_through() -> None:
    async def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await Stop().within(fail())


async def test_who_forces_does_not_wait_for_a_host_that_may_come_back() -> None:
    host = FakeHost(survivors=[AWAY] * 9)
    outcome = await run(
        plan(step("one"), step("two")), host, past=Past(done({1: {}})), stop=Stop(FORCED)
    )
    assert outcome.unproven is not None
    assert host.reaped == ["job"]
