"""A plan whose steps are on several hosts: each is done, ended and undone on its own."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.job import Answer as Said
from app.domain.job import Ending, EndingWhy
from tests.support.diary import FAILURE, Diary, done, plan, probe, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Asked, Begun, Past, RetryPolicy, StepFailed, Stop, Suspended
from worker.remote.errors import ConnectionLost, HostBusy, HostUnreachable, StaleToken, StepVanished
from worker.remote.host import Fence, HttpAnswer
from worker.steps.step import Command, OnCancel, OnUnknown, PortFree, Upload, Wait

ENDING = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00", by="ada")
AWAY = Answer(error=HostUnreachable("no answer", hint="ping"))
FENCE = Fence({"instance:1": 8}, "job", "attempt 1")


def at(host, name, action=None, undo=None, **more):
    return replace(step(name, action, undo, **more), at=host)


@pytest.fixture
def history():
    """What happens on all hosts, in order."""
    return []


@pytest.fixture
def web1(history):
    return FakeHost(history=history)


@pytest.fixture
def web2(history):
    return FakeHost(name="web2", history=history)


@pytest.fixture
def edge(history):
    return FakeHost(name="edge", history=history)


@pytest.fixture
def carry_out(web1, web2, edge):
    """Run a plan on web1, from where the others are known."""

    async def carry_out(of, diary=None, **options):
        hosts = {"web2": web2, "edge": edge}
        return await run(of, web1, diary, hosts=hosts.__getitem__, **options)

    return carry_out


async def test_each_step_is_done_on_its_own_host(carry_out, web1, web2, edge):
    outcome = await carry_out(
        plan(step("one"), at("web2", "two"), at("edge", "three"), at("web1", "four"))
    )
    assert outcome.error is None
    assert [host.scripts for host in (web1, web2, edge)] == [["one", "four"], ["two"], ["three"]]


async def test_a_host_is_asked_for_once_and_the_own_one_never():
    asked = []

    def host_of(name):
        asked.append(name)
        return FakeHost(name=name)

    of = plan(at("web2", "a"), at("web1", "b"), at("web2", "c"), on_failure=(at("edge", "d"),))
    await run(of, FakeHost(), hosts=host_of)
    assert asked == ["web2", "edge"]


async def test_a_plan_that_needs_a_host_nobody_knows_does_nothing():
    host, diary = FakeHost(), Diary()
    with pytest.raises(ValueError, match="web2"):
        await run(plan(step("one"), at("web2", "two")), host, diary)
    assert (host.history, diary.lines) == ([], [])


async def test_what_one_host_reports_reaches_the_commands_of_the_next(carry_out, web1, web2):
    web1.answers = {"one": Answer(says=("commit=abc\n",))}
    await carry_out(plan(step("one", Command("one", reports=("commit",))), at("web2", "two")))
    assert web2.ran[0].command.env == {"COMMIT": "abc"}


async def test_every_host_is_told_the_same_fence(carry_out, web1, web2):
    await carry_out(plan(step("one"), at("web2", "two")), fence=FENCE)
    assert [host.ran[0].fence for host in (web1, web2)] == [FENCE, FENCE]


async def test_a_newer_attempt_on_another_host_ends_the_run_without_undo(carry_out, web1, web2):
    web2.tokens = {"instance:1": 9}
    with pytest.raises(StaleToken):
        await carry_out(plan(step("one", undo=Command("undo")), at("web2", "two")), fence=FENCE)
    assert web1.scripts == ["one"]


async def test_success_leaves_nothing_of_the_job_on_any_of_its_hosts(carry_out, web1, web2, edge):
    await carry_out(plan(step("one"), at("web2", "two"), on_failure=(at("edge", "log"),)))
    assert [host.reaped for host in (web1, web2, edge)] == [["job"], ["job"], []]
    assert [host.cleaned for host in (web1, web2, edge)] == [["job-1"], ["job-2"], []]


async def test_a_failure_undoes_on_each_host_what_was_done_there_last_first(
    carry_out, web2, history
):
    web2.answers = {"three": Answer(1)}
    outcome = await carry_out(
        plan(
            step("one", undo=Command("undo one")),
            at("edge", "two", undo=Command("undo two")),
            at("web2", "three", undo=Command("undo three")),
            at("edge", "four", undo=Command("undo four")),
        )
    )
    assert history[3:6] == ["run job-3-undo", "run job-2-undo", "run job-1-undo"]
    assert outcome.undone
    assert outcome.error is not None
    assert outcome.error.detail.startswith("web2: ")


async def test_each_undo_is_run_on_the_host_of_its_step(carry_out, web1, web2, edge):
    edge.answers = {"three": Answer(1)}
    await carry_out(
        plan(
            step("one", undo=Command("undo one")),
            at("web2", "two", undo=Command("undo two")),
            at("edge", "three", undo=Command("undo three")),
        )
    )
    assert [host.scripts for host in (web1, web2, edge)] == [
        ["one", "undo one"],
        ["two", "undo two"],
        ["three", "undo three"],
    ]
    assert [host.reaped for host in (web1, web2, edge)] == [["job"], ["job"], ["job"]]


async def test_a_host_that_falls_silent_keeps_no_other_from_being_undone(
    carry_out, web1, web2, edge
):
    web2.answers = {"two": AWAY, "undo two": AWAY}
    diary = Diary()
    outcome = await carry_out(
        plan(
            step("one", undo=Command("undo one")),
            at("edge", "edge", undo=Command("undo edge")),
            at("web2", "two", undo=Command("undo two")),
        ),
        diary,
    )
    assert (web1.scripts, edge.scripts) == (["one", "undo one"], ["edge", "undo edge"])
    assert (web1.reaped, edge.reaped) == (["job"], ["job"])
    assert not outcome.undone
    assert "3 two undone host-unreachable" in diary.lines
    assert "undo two" not in web2.scripts
    assert web2.cleaned == []
    assert web1.cleaned == ["job-1", "job-1-undo"]


async def test_a_host_that_falls_silent_in_the_undo_is_asked_no_more_but_others_are(
    carry_out, web1, web2
):
    web1.answers = {"four": Answer(1)}
    web2.answers = {"undo three": AWAY}
    await carry_out(
        plan(
            step("one", undo=Command("undo one")),
            at("web2", "two", undo=Command("undo two")),
            at("web2", "three", undo=Command("undo three")),
            step("four"),
        ),
        retry=RetryPolicy(tries=2, first=0.001),
    )
    assert web2.scripts == ["two", "three", "undo three", "undo three"]
    assert web1.scripts == ["one", "four", "undo one"]


async def test_what_one_host_cannot_prove_leaves_the_whole_unproven(carry_out, web1, web2):
    web2.survivors = [HostUnreachable("no answer", hint="ping")] * 9
    of = plan(at("web2", "one"), step("two"), step("three"))
    outcome = await carry_out(of, past=Past(done({1: {}, 2: {}})), stop=Stop(ENDING))
    assert outcome.unproven is not None
    assert outcome.unproven.code == "host-unreachable"
    assert web1.reaped == ["job"]
    assert (web1.cleaned != [], web2.cleaned) == (True, [])


async def test_a_failure_tells_what_could_not_be_proven(carry_out, web1, web2):
    web1.answers = {"two": Answer(1)}
    web2.survivors = [HostUnreachable("no answer", hint="ping")] * 9
    outcome = await carry_out(plan(at("web2", "one"), step("two")))
    assert (outcome.error.step, outcome.undone) == ("two", False)
    assert outcome.error.detail.endswith("no answer")


async def test_a_job_is_proven_ended_on_the_hosts_where_it_began_something_only(
    carry_out, web1, web2, edge
):
    of = plan(step("one"), at("web2", "two"), at("edge", "three"))
    await carry_out(of, past=Past(done({2: {}})), stop=Stop(ENDING))
    assert [host.reaped for host in (web1, web2, edge)] == [[], ["job"], []]


async def test_a_running_step_is_killed_on_its_own_host(carry_out, web1, web2):
    web2.answers, stop = {"two": Answer(until=asyncio.Event())}, Stop()
    of = plan(step("one", undo=Command("undo one")), at("web2", "two", undo=Command("undo two")))
    running = asyncio.create_task(carry_out(of, stop=stop))
    await web2.busy.wait()
    stop.order(ENDING)
    outcome = await running
    assert (web2.killed, web1.killed) == (["job-2"], [])
    assert (web2.scripts, web1.scripts) == (["two", "undo two"], ["one", "undo one"])
    assert outcome.unproven is None


async def test_a_successor_meets_a_step_on_the_host_where_it_was_begun(carry_out, web1, web2):
    of = plan(step("one"), at("web2", "two"), step("three"))
    past = Past({**done({1: {"port": "80"}}), 2: Begun(running=True)})
    assert (await carry_out(of, past=past)).error is None
    assert [(ran.name, ran.command.env) for ran in web2.ran] == [("job-2", {"PORT": "80"})]
    assert web1.scripts == ["three"]


async def test_a_successor_removes_on_each_host_what_was_begun_there(carry_out, web1, web2):
    of = plan(step("one"), at("web2", "two"), step("three"))
    await carry_out(of, past=Past(done({1: {}, 2: {}})))
    assert {name for name in web1.cleaned if "-1" in name} >= {"job-1", "job-1-undo"}
    assert not [name for name in web1.cleaned if "-2" in name]
    assert set(web2.cleaned) == {"job-2", "job-2-undo", "job-2-alive", "job-2-asked"}


async def test_what_a_lost_worker_left_running_ends_on_its_host_before_the_undo(
    carry_out, web2, history
):
    of = plan(
        step("one", undo=Command("undo")),
        at("web2", "two", on_cancel=OnCancel.FINISH, undo=Command("undo")),
    )
    past = Past({**done({1: {}}), 2: Begun(running=True)})
    await carry_out(of, past=past, stop=Stop(ENDING))
    assert history[:4] == ["run job-2", "reap job", "run job-2-undo", "run job-1-undo"]
    assert [ran.name for ran in web2.ran] == ["job-2", "job-2-undo"]


async def test_a_failure_of_an_earlier_attempt_is_undone_on_every_host(carry_out, web1, web2):
    of = plan(step("one", undo=Command("undo one")), at("web2", "two", undo=Command("undo two")))
    failed = StepFailed("step-failed", "A step failed", "exit code 1", "look", "two", 1)
    await carry_out(of, past=Past({**done({1: {}}), 2: Begun()}, failed=failed))
    assert (web1.scripts, web2.scripts) == (["undo one"], ["undo two"])


async def test_the_question_about_an_unknown_end_goes_to_the_host_of_the_step(carry_out, web2):
    web2.answers = {"two": Answer(error=StepVanished("gone", hint=""))}
    await carry_out(plan(at("web2", "two", on_unknown=Command("done?"))))
    assert web2.scripts == ["two", "done?"]
    assert "job-1-asked" in web2.cleaned


async def test_a_wait_looks_at_its_own_host(carry_out, web1, web2):
    web2.answers = {"ready?": Answer(1, ("not yet\n",))}
    wait = Wait(None, Command("ready?"), 60, 600, FAILURE)
    with pytest.raises(Suspended) as caught:
        await carry_out(plan(at("web2", "wait", wait)))
    assert caught.value.reason == "wait: not yet"
    assert (web1.scripts, web2.scripts) == ([], ["ready?"])


async def test_a_wait_that_took_long_names_its_own_host(carry_out, web2):
    web2.answers = {"ready?": Answer(1)}
    since = datetime.now(UTC) - timedelta(seconds=601)
    of = plan(at("web2", "wait", Wait(None, Command("ready?"), 60, 600, FAILURE)))
    error = (await carry_out(of, past=Past({1: Begun(since=since)}))).error
    assert error is not None
    assert error.detail.startswith("web2, after 600 s")


async def test_what_somebody_answered_as_failed_names_the_host_of_the_step(carry_out):
    of = plan(at("web2", "one", on_unknown=OnUnknown.ASK))
    asked = Asked(1, datetime.now(UTC), "Was it done?", Said.FAILED)
    error = (await carry_out(of, past=Past({1: Begun(running=True)}, asked=asked))).error
    assert error is not None
    assert error.detail.startswith("web2: ")


async def test_what_an_ended_job_left_is_ended_on_the_host_that_is_busy(carry_out, web1, web2):
    busy = Answer(error=HostBusy("busy", hint="", holder="old"))
    web2.answers = {"two": [busy, Answer()]}

    async def has_ended(name):
        return name == "old"

    assert (await carry_out(plan(at("web2", "two")), has_ended=has_ended)).error is None
    assert "old" in web2.reaped
    assert "old" not in web1.reaped


@pytest.mark.parametrize("action", [PortFree(80, FAILURE), probe(alive=None)])
async def test_a_look_at_a_port_is_made_from_its_own_host_and_names_it(carry_out, edge, action):
    edge.open_ports, edge.pages = {80}, [HttpAnswer(500, "")]
    error = (await carry_out(plan(at("edge", "look", action)))).error
    assert error is not None
    assert error.detail.startswith("edge")


async def test_files_are_sent_to_the_host_of_the_step(carry_out, web2, tmp_path):
    file = tmp_path / "page"
    file.write_bytes(b"hello")
    await carry_out(plan(at("web2", "send", Upload(Path(file), "site/page"))))
    assert web2.sent == {"site/page": b"hello"}


async def test_a_host_that_still_answers_is_diagnosed_when_another_is_silent(carry_out, web1, web2):
    web2.answers = {"one": AWAY}
    of = plan(at("web2", "one"), on_failure=(at("web2", "log two"), step("log one")))
    await carry_out(of)
    assert (web1.scripts, "log two" in web2.scripts) == (["log one"], False)


@pytest.mark.parametrize("error", [HostUnreachable, ConnectionLost])
async def test_what_would_be_stopped_on_a_host_that_is_gone_is_passed_over(
    carry_out, web1, web2, error
):
    web2.answers = {"stop": Answer(error=error("no answer", hint="ping"))}
    diary = Diary()
    gone = replace(at("web2", "stop"), dispensable=True)
    outcome = await carry_out(plan(gone, step("go on")), diary)
    assert outcome.error is None
    assert web1.scripts == ["go on"]
    assert web2.scripts == ["stop"]


async def test_what_fails_on_a_host_that_answers_is_not_passed_over(carry_out, web1, web2):
    web2.answers = {"stop": Answer(1)}
    outcome = await carry_out(plan(replace(at("web2", "stop"), dispensable=True), step("go on")))
    assert outcome.error.code == "step-failed"
    assert web1.scripts == []
