import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.redaction import MASK, Redactor
from app.errors import LostOwnership
from tests.support import factories
from worker.engine import StepFailed
from worker.jobs import step_output
from worker.jobs.journal import Journal, error_of
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
def journal(db, job):
    return Journal(db, job, Redactor([SECRET]))


async def _events(db, job, kind):
    events = await services.jobs.events(db, job.id, after=0, limit=1000)
    return [event.data for event in events if event.type == kind]


async def test_a_step_is_told_from_its_start_to_its_end(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, "line 1\n")
    await journal.step_succeeded(1, STEP, exit_code=0, duration=0.5, facts={"commit": "abc"})
    [step] = await services.jobs.steps(db, job.id)
    assert (step.status, step.exit_code, step.duration_ms) == ("succeeded", 0, 500)
    assert step.facts == {"commit": "abc"}
    [output] = await _events(db, job, EventType.STEP_OUTPUT)
    assert output == {"number": 1, "step": "build", "text": "line 1\n"}


async def test_output_appears_while_the_step_still_runs(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, "working\n")
    await journal._output._timer
    assert [data["text"] for data in await _events(db, job, EventType.STEP_OUTPUT)] == ["working\n"]


async def test_no_secret_reaches_an_event_even_cut_in_two_or_in_an_error(db, job, journal):
    await journal.step_started(1, STEP)
    await journal.output(1, STEP, f"x {SECRET[:5]}")
    await journal.output(1, STEP, f"{SECRET[5:]} y\n")
    error = StepFailed("step-failed", "t", f"exit 1: {SECRET}", "h", "build", 1)
    await journal.step_failed(1, STEP, error=error, duration=0)
    told = str([e.data for e in await services.jobs.events(db, job.id, after=0, limit=100)])
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
