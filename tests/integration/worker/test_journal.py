import asyncio
import time
from datetime import timedelta

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import Ending, EndingWhy, JobKind, LeasePolicy
from app.domain.redaction import MASK, Redactor
from app.errors import LostOwnership
from app.services.claiming import Claim
from app.services.traces import Traces, follow
from tests.support import factories
from worker.engine import StepFailed, Stop
from worker.jobs import journal as journal_module
from worker.jobs import step_output
from worker.jobs.journal import Journal, error_of
from worker.jobs.lease import Lease
from worker.jobs.past import past_of
from worker.plans.plan import Plan
from worker.steps.step import Command, Note, Step

STEP = Step("build", "Build", Command("true"))
SECRET = "very-secret-value"


@pytest.fixture
async def job(db, queue, vault):
    await factories.add_site(db)
    view = await factories.request(db, queue, vault)
    work = await services.work.look(db, view.job.id)
    claim = await services.claiming.claim(db, work, attempt=1, worker="w", lock_names=["a"])
    return claim.job


@pytest.fixture
async def journal(db, job):
    journal = make(db, job)
    yield journal
    await journal.close()


def make(db, job, **values):
    lease = Lease(LeasePolicy(lease=timedelta(minutes=5)), since=time.monotonic())
    return Journal(db, job, Redactor([SECRET]), lease=lease, **values)


async def said(db, job):
    return [data["text"] for data in await _events(db, job, EventType.STEP_OUTPUT)]


async def _events(db, job, kind):
    events = await factories.events(db, job.id)
    return [event.data for event in events if event.type == kind]


async def test_a_step_is_told_from_its_start_to_its_end(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, "line 1\n")
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0.5, facts={"commit": "abc"})
    [step] = await services.jobs.steps(db, job.id)
    assert (step.status, step.exit_code, step.duration_ms) == ("succeeded", 0, 500)
    assert step.facts == {"commit": "abc"}
    [output] = await _events(db, job, EventType.STEP_OUTPUT)
    assert output == {"number": 1, "step": "build", "text": "line 1\n", "end": 7}


async def test_the_first_line_is_shown_at_once_and_others_while_the_step_still_runs(
    db, job, journal
):
    await journal.step_started(1, STEP)
    for line in ("working\n", "still working\n"):
        await journal.output(1, STEP, line)
        async with asyncio.timeout(10):
            while line not in "".join(await said(db, job)):
                await asyncio.sleep(0.01)


async def test_no_secret_reaches_an_event_even_cut_in_two_or_in_an_error(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, f"x {SECRET[:5]}")
    await journal.output(1, STEP, f"{SECRET[5:]} y\n")
    error = StepFailed("step-failed", "t", f"exit 1: {SECRET}", "h", "build", 1)
    await journal.step_failed(1, STEP, error=error, duration=0)
    told = str([e.data for e in await factories.events(db, job.id)])
    assert SECRET not in told
    assert f"x {MASK} y" in told
    assert f"exit 1: {MASK}" in told


async def test_nul_in_what_a_host_says_is_stored_as_a_replacement_character(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, "a\0b\n")
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0, facts={"commit": "c\0d"})
    await journal.step_started(2, STEP)
    error = StepFailed("step-failed", "t\0", "\x1b[1mexit\0\n", "h\0", "build", 1)
    await journal.step_failed(2, STEP, error=error, duration=0)
    [output] = await _events(db, job, EventType.STEP_OUTPUT)
    assert output["text"] == "a\ufffdb\n"
    [failed] = await _events(db, job, EventType.STEP_FAILED)
    assert failed["error"]["detail"] == "[1mexit\ufffd\n"
    assert (await services.jobs.steps(db, job.id))[0].facts == {"commit": "c\ufffdd"}


def test_code_step_and_docs_of_an_error_are_never_redacted():
    failed = StepFailed("step-failed", "a step-failed", "step-failed", "build-it", "build-it", 1)
    error = error_of(failed, Redactor(["step-failed", "build-it"]))
    assert (error["code"], error["step"], error["exit_code"]) == ("step-failed", "build-it", 1)
    assert error["docs"].endswith("step-failed")
    assert (error["title"], error["detail"], error["hint"]) == (f"a {MASK}", MASK, MASK)


async def test_endless_output_is_cut_with_a_visible_note(db, job, journal, monkeypatch):
    monkeypatch.setattr(step_output, "STEP_LIMIT", 1000)
    await journal.step_started(1, STEP)
    for _ in range(100):
        await journal.output(1, STEP, "x" * 99 + "\n")
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0, facts={})
    text = "".join(data["text"] for data in await _events(db, job, EventType.STEP_OUTPUT))
    assert len(text) < 1100
    assert "[truncated" in text
    events = await _events(db, job, EventType.STEP_OUTPUT)
    assert [data.get("truncated") for data in events][-1] is True


async def test_a_job_keeps_so_much_output_over_all_its_steps_and_attempts(db, job, monkeypatch):
    monkeypatch.setattr(journal_module, "JOB_LIMIT", 100)
    journal = make(db, job, traces=Traces(kept=60))
    for number in (1, 2):
        await journal.step_started(number, STEP)
        await journal.output(number, STEP, "x" * 30)
        await journal.step_succeeded(number, STEP, exit_code=0, duration=0, facts={})
    text = "".join(await said(db, job))
    assert text.count("x") == 40
    assert "no more of this job's output" in text


async def test_much_output_is_told_in_pieces_that_are_written_together(db, job, journal):
    text = "".join(f"line {number}\n" for number in range(20_000))
    await journal.step_started(1, STEP)
    for at in range(0, len(text), 50_000):
        await journal.output(1, STEP, text[at : at + 50_000])
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0, facts={})
    pieces = await said(db, job)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 16 * 1024
    assert len(pieces) < 40


async def test_output_that_comes_again_is_told_once_also_when_a_secret_was_cut(db, job, journal):
    whole = f"begun\npassword {SECRET} set\nfinished\n"
    await journal.step_started(1, STEP)
    cut = whole.index(SECRET) + 5
    await journal.output(1, STEP, whole[:cut])
    async with asyncio.timeout(10):
        while not await said(db, job):
            await asyncio.sleep(0.01)
    await journal.close()
    traces = await follow(db, job)
    assert traces.heard[1, False] <= whole.index(SECRET)
    other = make(db, job, traces=traces)
    await other.step_started(1, STEP)
    for character in whole:
        await other.output(1, STEP, character)
    await other.step_succeeded(1, STEP, exit_code=0, duration=0, facts={})
    assert "".join(await said(db, job)) == whole.replace(SECRET, MASK)


async def test_output_that_the_previous_release_told_is_not_told_again(db, job, journal):
    """It wrote no `end`."""
    await journal.step_started(1, STEP)
    for text in ("begun\n", "half "):
        data = {"number": 1, "step": STEP.name, "text": text}
        await services.execution.record(db, job, (EventType.STEP_OUTPUT, data))
    traces = await follow(db, job)
    assert (traces.heard, traces.kept) == ({(1, False): 11}, 11)
    other = make(db, job, traces=traces)
    await other.step_started(1, STEP)
    await other.output(1, STEP, "begun\nhalf done\n")
    await other.step_succeeded(1, STEP, exit_code=0, duration=0, facts={})
    assert "".join(await said(db, job)) == "begun\nhalf done\n"
    assert (await follow(db, job)).heard == {(1, False): 16}


async def test_output_that_comes_again_within_an_attempt_is_told_once(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, f"begun\n{SECRET[:4]}")
    error = StepFailed("connection-lost", "t", "d", "h", "build")
    await journal.step_retrying(1, STEP, tries=2, of=4, wait=1, error=error, fresh=False)
    await journal.output(1, STEP, f"begun\n{SECRET}\n")
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0, facts={})
    assert "".join(await said(db, job)) == f"begun\n{MASK}\n"


async def test_output_of_a_step_that_is_begun_anew_is_told_anew(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, "begun\n")
    error = StepFailed("step-vanished", "t", "d", "h", "build")
    await journal.step_unknown(1, STEP, error=error, duration=1)
    await journal.step_retrying(1, STEP, tries=2, of=4, wait=1, error=error, fresh=True)
    assert (await follow(db, job)).heard == {}
    await journal.output(1, STEP, "begun\n")
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0, facts={})
    assert "".join(await said(db, job)) == "begun\nbegun\n"
    [step] = await services.jobs.steps(db, job.id)
    assert (step.status, step.tries) == ("succeeded", 2)


async def test_a_retry_is_told_and_counted(db, job, journal):
    await journal.step_started(1, STEP)
    error = StepFailed("host-unreachable", "t", f"d {SECRET}", "h", "build")
    await journal.step_retrying(1, STEP, tries=2, of=4, wait=1.26, error=error, fresh=False)
    [event] = await _events(db, job, EventType.STEP_RETRYING)
    assert (event["try"], event["of"], event["wait_s"]) == (2, 4, 1.3)
    assert event["error"]["detail"] == f"d {MASK}"
    [step] = await services.jobs.steps(db, job.id)
    assert (step.status, step.tries) == ("running", 2)


async def test_an_order_to_stop_is_told_with_what_stops_when_and_what_follows(db, job):
    ending = Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00")
    journal = make(db, job, stop=Stop(ending))
    await journal.stopping(3, STEP, now=False, undo=2)
    await journal.stopping(None, None, now=True, undo=0)
    first, second = await _events(db, job, EventType.JOB_CANCELING)
    assert first == {
        "why": "canceled",
        "number": 3,
        "step": "build",
        "stops": "after the step",
        "then": "undo of 2 steps",
    }
    assert (second["stops"], second["then"]) == ("now", "nothing to undo")


async def test_a_step_that_is_not_needed_is_told_once_with_the_facts_that_say_so(db, job, journal):
    needless = Step("build", "Build", Command("true"), unless=("installed_1", "installed_2"))
    await journal.step_skipped(1, needless)
    [step] = await services.jobs.steps(db, job.id)
    assert (step.status, step.duration_ms, step.facts) == ("skipped", 0, {})
    assert await _events(db, job, EventType.STEP_SKIPPED) == [
        {
            "number": 1,
            "step": "build",
            "title": "Build",
            "because": ["installed_1", "installed_2"],
        }
    ]
    assert await _events(db, job, EventType.STEP_STARTED) == []


async def test_the_next_attempt_knows_which_steps_were_not_needed(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0, facts={"installed_1": "yes"})
    await journal.step_skipped(2, Step("more", "More", Command("true"), unless=("installed_1",)))
    steps = await services.jobs.steps(db, job.id)
    claim = Claim(job, None, {}, steps, ending=None, resumed=None)
    past = past_of(claim, Plan(JobKind.INSTALL, (STEP, STEP)), Traces())
    assert (set(past.begun), past.skipped, claim.begun) == ({1}, {2}, {1})
    assert past.is_done(2)


async def test_a_canceled_step_and_an_unknown_one_keep_their_state(db, job, journal):
    error = StepFailed("step-vanished", "t", "d", "h", "build")
    await journal.step_started(1, STEP)
    await journal.step_canceled(1, STEP, duration=1)
    await journal.step_started(2, STEP)
    await journal.step_unknown(2, STEP, error=error, duration=1)
    steps = await services.jobs.steps(db, job.id)
    assert [step.status for step in steps] == ["canceled", "unknown"]


async def test_the_error_of_an_earlier_attempts_step_is_found_again(db, job, journal):
    error = StepFailed("step-failed", "t", "d", "h", "build", 3)
    await journal.step_started(1, STEP)
    await journal.step_failed(1, STEP, error=error, duration=0)
    found = (await follow(db, job)).errors[1]
    assert (found["code"], found["exit_code"]) == ("step-failed", 3)


async def test_an_undo_is_told_with_its_success_or_its_error(db, job, journal):
    await journal.step_undone(1, STEP, error=None, duration=0)
    error = StepFailed("step-timeout", "t", "d", "h", "build")
    await journal.step_undone(1, STEP, error=error, duration=0)
    assert len(await _events(db, job, EventType.STEP_UNDONE)) == 1
    [failed] = await _events(db, job, EventType.STEP_UNDO_FAILED)
    assert failed["error"]["code"] == "step-timeout"


async def test_notes_of_the_plan_become_true_in_the_database(db, job, journal):
    await journal.note(Note("app-server.status", {"status": "waiting"}), {})
    await journal.note(Note("app-server.commit"), {"commit": "abc123"})
    await journal.note(Note("instance.prepared"), {})
    await journal.note(Note("participant.created", {"name": "database"}), {})
    view = await services.jobs.get(db, job.id)
    assert (view.app_server.status, view.app_server.commit) == (AppServerStatus.WAITING, "abc123")
    async with db.transaction() as session:
        instance = await store.instances.get(session, "shop")
    assert instance.prepared_at is not None
    assert instance.participants_created == ["database"]


async def test_an_attempt_that_lost_the_job_tells_nothing_more(db, job, journal):
    await services.claiming.hand_over(db, job)
    before = await factories.event_types(db, job.id)
    with pytest.raises(LostOwnership):
        await journal.step_started(1, STEP)
    assert await factories.event_types(db, job.id) == before
