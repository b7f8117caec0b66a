"""The engine: order, facts, reporting, undo and the way errors are told."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.diary import FAILURE, Diary, done, plan, probe, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Outcome, Past, StepFailed
from worker.plans.plan import Plan
from worker.remote.errors import (
    ConnectionLost,
    ForwardingRefused,
    HostUnreachable,
    ProcessesSurvived,
    StepTimeout,
)
from worker.remote.host import HttpAnswer
from worker.steps.step import Command, Failure, Note, PortFree, ReadHostKey, Upload


async def error_of(of: Plan, host: FakeHost, **options: Mapping[str, str]) -> StepFailed:
    outcome = await run(of, host, **options)
    assert outcome.error is not None
    return outcome.error


async def test_steps_run_in_order_and_are_reported() -> None:
    host, diary = FakeHost({"one": Answer(says=("hel", "lo\n"))}), Diary()
    outcome = await run(plan(step("one"), step("two")), host, diary)
    assert outcome == Outcome({})
    assert diary.lines == [
        "1 one started",
        "1 one succeeded 0 {}",
        "2 two started",
        "2 two succeeded 0 {}",
    ]
    assert diary.said == "hello\n"
    assert [ran.name for ran in host.ran] == ["job-1", "job-2"]


async def test_a_reported_fact_reaches_later_commands_and_notes() -> None:
    fetch = Command("fetch", env={"A": "1"}, reports=("commit",))
    host, diary = FakeHost({"fetch": Answer(says=("x\ncommit=a", "bc\n"))}), Diary()
    note = step("note", Note("app-server.commit"))
    of = plan(step("look"), step("fetch", fetch), note, step("build"))
    past = Past(done({1: {"host-name": "web1"}}))
    outcome = await run(of, host, diary, past=past)
    assert outcome.facts == {"host-name": "web1", "commit": "abc"}
    assert "note app-server.commit {'host-name': 'web1', 'commit': 'abc'}" in diary.lines
    assert host.ran[0].command.env == {"HOST_NAME": "web1", "A": "1"}
    assert host.ran[1].command.env == {"HOST_NAME": "web1", "COMMIT": "abc"}


async def test_a_value_of_the_plan_wins_over_a_fact_of_the_same_name() -> None:
    host = FakeHost()
    of = plan(step("look"), step("a", Command("a", env={"PORT": "1"})))
    await run(of, host, past=Past(done({1: {"port": "2"}})))
    assert host.ran[0].command.env == {"PORT": "1"}


async def test_a_command_gets_the_secrets_it_names_and_no_others() -> None:
    host = FakeHost()
    command = Command("a", secrets=("KEY",))
    await run(plan(step("a", command), step("b")), host, secrets={"KEY": "k", "OTHER": "o"})
    assert [dict(ran.secrets) for ran in host.ran] == [{"KEY": "k"}, {}]


async def test_a_secret_that_is_not_set_is_named_before_anything_runs() -> None:
    host = FakeHost()
    error = await error_of(plan(step("a", Command("a", secrets=("KEY",)))), host)
    assert (error.code, error.detail) == ("secret-missing", "Not set: KEY.")
    assert host.ran == []


async def test_a_failure_undoes_what_was_done_last_first_and_itself_too() -> None:
    host, diary = FakeHost({"three": Answer(1)}), Diary()
    of = plan(
        step("one", undo=Command("undo one")),
        step("two"),
        step("three", undo=Command("undo three")),
        step("four", undo=Command("undo four")),
    )
    outcome = await run(of, host, diary)
    assert host.scripts == ["one", "two", "three", "undo three", "undo one"]
    assert diary.lines[-2:] == ["3 three undone well", "1 one undone well"]
    assert outcome.undone
    assert [ran.name for ran in host.ran][-2:] == ["job-3-undo", "job-1-undo"]


async def test_an_undo_that_fails_is_told_and_the_others_go_on() -> None:
    host, diary = FakeHost({"two": Answer(1), "undo two": Answer(9)}), Diary()
    of = plan(step("one", undo=Command("undo one")), step("two", undo=Command("undo two")))
    outcome = await run(of, host, diary)
    assert diary.lines[-2:] == ["2 two undone step-failed", "1 one undone well"]
    assert not outcome.undone
    assert outcome.error is not None
    assert outcome.error.step == "two"


async def test_the_diagnosis_runs_after_the_undo_and_its_failures_change_nothing() -> None:
    host, diary = FakeHost({"one": Answer(1), "look": Answer(5)}), Diary()
    on_failure = (step("look"), step("look-more"))
    of = plan(step("one", undo=Command("undo")), on_failure=on_failure)
    outcome = await run(of, host, diary)
    assert host.scripts == ["one", "undo", "look", "look-more"]
    assert diary.lines[-4:] == [
        "2 look started",
        "2 look failed step-failed",
        "3 look-more started",
        "3 look-more succeeded 0 {}",
    ]
    assert outcome.error is not None
    assert outcome.error.step == "one"


async def test_nothing_is_diagnosed_before_there_is_something_to_see() -> None:
    host = FakeHost({"one": Answer(1)})
    await run(plan(step("one"), on_failure=(step("look"),), diagnose_from=2), host)
    assert host.scripts == ["one"]


async def test_a_host_that_is_gone_is_not_asked_for_a_diagnosis() -> None:
    gone = HostUnreachable("web1 does not answer", hint="ping web1")
    host = FakeHost({"one": Answer(error=gone)})
    error = await error_of(plan(step("one"), on_failure=(step("look"),)), host)
    assert error == StepFailed(
        "host-unreachable",
        "The host does not answer",
        "web1 does not answer",
        "ping web1",
        "one",
    )
    assert "look" not in host.scripts


async def test_a_host_that_goes_during_the_diagnosis_is_asked_no_more() -> None:
    gone = HostUnreachable("web1 does not answer", hint="ping web1")
    host = FakeHost({"one": Answer(1), "look": Answer(error=gone)})
    await run(plan(step("one"), on_failure=(step("look"), step("look-more"))), host)
    assert host.scripts == ["one", "look"]


async def test_a_known_exit_code_is_told_in_the_words_of_the_step() -> None:
    known = Failure("revision-not-found", "No such revision", "git ls-remote")
    host = FakeHost({"fetch": Answer(42, ("looking\n", "nothing there\n"))})
    error = await error_of(plan(step("fetch", Command("fetch", failures={42: known}))), host)
    assert error == StepFailed(
        "revision-not-found",
        "No such revision",
        "web1: exit code 42.\nlooking\nnothing there",
        "git ls-remote",
        "fetch",
        42,
    )


async def test_an_unknown_exit_code_says_where_to_look() -> None:
    error = await error_of(plan(step("build")), FakeHost({"build": Answer(3, ("oops\n",))}))
    assert (error.code, error.title) == ("step-failed", "A command ended with exit code 3")
    assert (error.hint, error.exit_code) == ("look on web1", 3)


async def test_a_death_by_signal_is_named() -> None:
    error = await error_of(plan(step("build")), FakeHost({"build": Answer(137)}))
    assert "SIGKILL" in error.title


async def test_a_full_disk_is_recognised_in_the_output() -> None:
    host = FakeHost({"build": Answer(1, ("cp: No space left ", "on device\n"))})
    assert (await error_of(plan(step("build")), host)).code == "disk-full"


async def test_no_secret_is_in_the_error() -> None:
    host = FakeHost({"a": Answer(1, ("password is hun", "ter2hunter2\n"))})
    error = await error_of(
        plan(step("a", Command("a", secrets=("KEY",)))), host, secrets={"KEY": "hunter2hunter2"}
    )
    assert error.detail == "web1: exit code 1.\npassword is [redacted]"


async def test_a_fact_that_was_not_reported_is_a_failure() -> None:
    fetch = Command("fetch", reports=("commit",))
    host = FakeHost({"fetch": Answer(0, ("done\n",))})
    error = await error_of(plan(step("fetch", fetch)), host)
    assert (error.code, error.exit_code) == ("step-failed", 0)
    assert error.detail == "web1: no commit in:\ndone"


async def test_the_folders_of_all_steps_are_removed_at_the_end_in_one_call() -> None:
    host = FakeHost({"two": Answer(1)})
    await run(plan(step("one"), step("two", undo=Command("undo"))), host)
    assert host.history[-1] == "clean job-1 job-2 job-2-undo"
    assert len(host.cleaned) == 3


async def test_a_step_that_may_still_run_keeps_its_folder() -> None:
    lost = ConnectionLost("nobody knows", hint="look")
    host = FakeHost({"one": Answer(error=lost)})
    error = await error_of(plan(step("one")), host)
    assert error.code == "connection-lost"
    assert host.cleaned == []


async def test_a_step_that_took_too_long_is_cleaned_away() -> None:
    host = FakeHost({"one": Answer(error=StepTimeout("after 5 s", hint="raise timeout"))})
    await run(plan(step("one")), host)
    assert host.cleaned == ["job-1"]


async def test_steps_that_an_earlier_attempt_finished_are_not_run_again() -> None:
    host, diary = FakeHost({"three": Answer(1)}), Diary()
    of = plan(step("one", undo=Command("undo one")), step("two"), step("three"))
    await run(of, host, diary, past=Past(done({1: {"commit": "abc"}, 2: {}})))
    assert host.scripts == ["three", "undo one"]
    assert host.ran[0].command.env == {"COMMIT": "abc"}
    assert diary.lines[0] == "3 three started"


async def test_a_journal_that_refuses_ends_the_run_at_once_and_undoes_nothing() -> None:
    host, diary = FakeHost(), Diary(refuses="2 two started")
    with pytest.raises(PermissionError):
        await run(plan(step("one", undo=Command("undo")), step("two")), host, diary)
    assert host.scripts == ["one"]


async def test_a_canceled_run_leaves_everything_as_it_is() -> None:
    class Stuck(FakeHost):
        async def port_open(self, port: int, address: str = "127.0.0.1") -> bool:
            started.set()
            await asyncio.Event().wait()
            return False

    started, host = asyncio.Event(), Stuck()
    of = plan(step("one", undo=Command("undo")), step("two", PortFree(1, FAILURE)))
    task = asyncio.create_task(run(of, host))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.scripts == ["one"]


async def test_a_host_key_becomes_two_facts() -> None:
    outcome = await run(plan(step("read", ReadHostKey())), FakeHost())
    assert outcome.facts == {"host_key": "ssh-ed25519 AAAA", "fingerprint": "SHA256:abc"}


async def test_a_port_in_use_is_a_failure_and_a_free_one_is_not() -> None:
    of = plan(step("free", PortFree(20000, FAILURE)))
    assert (await run(of, FakeHost())).error is None
    error = await error_of(of, FakeHost(open_ports={20000}))
    assert error.detail == "web1: port 20000 accepts connections."


async def test_a_probe_waits_until_the_site_answers() -> None:
    refused = HttpAnswer(0, "", problem="the port refuses connections")
    host = FakeHost(pages=[refused, HttpAnswer(503, ""), HttpAnswer(204, "")])
    diary = Diary()
    assert (await run(plan(step("check", probe())), host, diary)).error is None
    assert host.asked == [(20000, "/up")] * 3
    assert diary.said == "GET http://127.0.0.1:20000/up answered 204\n"


async def test_a_probe_gives_up_after_its_tries_and_tells_the_last_answer() -> None:
    error = await error_of(plan(step("check", probe())), FakeHost(pages=[HttpAnswer(500, "")]))
    assert error.code == "check-failed"
    assert error.detail == (
        "web1, after 3 tries: GET http://127.0.0.1:20000/up answered 500, wanted 200 or 204."
    )


async def test_a_probe_looks_for_its_words_in_the_page() -> None:
    host = FakeHost(pages=[HttpAnswer(200, "It works"), HttpAnswer(200, "Welcome")])
    assert (await run(plan(step("check", probe(contains="Welcome"))), host)).error is None
    wrong = await error_of(
        plan(step("check", probe(contains="Welcome"))), FakeHost(pages=[HttpAnswer(200, "no")])
    )
    assert "answered 200 without 'Welcome' in the page" in wrong.detail


async def test_a_site_that_died_is_not_waited_for() -> None:
    host = FakeHost({"alive": Answer(1)}, pages=[HttpAnswer(0, "", problem="refused")])
    error = await error_of(plan(step("check", probe(tries=1000))), host)
    assert (error.code, len(host.asked)) == ("start-failed", 1)


async def test_an_answer_does_not_count_when_the_started_process_is_dead() -> None:
    host = FakeHost({"alive": Answer(1)}, pages=[HttpAnswer(200, "")])
    assert (await error_of(plan(step("check", probe())), host)).code == "start-failed"


async def test_every_question_whether_it_lives_is_asked_anew_and_leaves_nothing() -> None:
    host = FakeHost(pages=[HttpAnswer(500, "")])
    await run(plan(step("check", probe())), host)
    asked = [line for line in host.history if line.endswith("job-1-alive")]
    assert asked == ["clean job-1-alive", "run job-1-alive"] * 3 + ["clean job-1-alive"]


async def test_a_server_that_forbids_forwarding_is_told_at_once() -> None:
    refusal = ForwardingRefused("web1 forbids it", hint="AllowTcpForwarding yes")
    host = FakeHost(pages=[refusal])
    error = await error_of(plan(step("check", probe(alive=None))), host)
    assert (error.code, error.hint) == ("forwarding-refused", "AllowTcpForwarding yes")
    assert len(host.asked) == 1


async def test_an_upload_is_sent_and_says_how_much_the_host_lacked() -> None:
    host, diary = FakeHost(), Diary()
    of = plan(step("assets", Upload(Path("out"), "apps/x/static")))
    assert (await run(of, host, diary)).error is None
    assert host.history == ["send out to apps/x/static"]
    assert diary.said == "sent 10 bytes in 1 of 3 files to apps/x/static\n"


async def test_what_a_job_left_running_is_ended_when_it_succeeds() -> None:
    host = FakeHost()
    assert (await run(plan(step("build")), host)).error is None
    assert host.history == ["run job-1", "reap job", "clean job-1"]


async def test_a_success_stays_one_when_its_rest_cannot_be_ended() -> None:
    host = FakeHost(survivors=[ProcessesSurvived("process 4711 lives", hint="kill -9 4711")])
    assert (await run(plan(step("build")), host)).error is None


async def test_a_failed_job_is_undone_only_when_nothing_of_it_runs() -> None:
    survived = ProcessesSurvived("process 4711 lives", hint="kill -9 4711")
    host = FakeHost({"build": Answer(1)}, survivors=[survived])
    outcome = await run(plan(step("build", undo=Command("undo"))), host)
    assert (outcome.error is not None, outcome.undone) == (True, False)


async def test_a_host_that_was_given_up_is_asked_no_more() -> None:
    away = HostUnreachable("no answer", hint="ping")
    host = FakeHost({"build": Answer(error=away)})
    of = plan(step("look", undo=Command("undo")), step("build"))
    outcome = await run(of, host)
    assert (outcome.undone, host.reaped) == (False, [])
    assert "undo" not in host.scripts
