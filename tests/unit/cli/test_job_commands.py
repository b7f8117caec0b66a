"""What jobs are told from the command line, and how a job is asked for; each POST with its key."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.cli.client import PAUSES
from tests.unit.cli.fake import JOB, events, job, page, problem

TOLD = {
    "by": "ann",
    "reason": "the wrong one",
    "requested_at": "2026-01-02T03:04:05Z",
    "force": False,
}


@pytest.fixture
def known(api):
    """A job that runs and can be found."""
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))
    api.on("GET", "/v1/jobs", page(job("running")))
    return api


def ends(api, status, *told, **fields):
    """From now on it has ended."""
    api.on("GET", f"/v1/jobs/{JOB}", job(status, **fields))
    found = events("job.queued", *told, f"job.{status}")

    def answer(request):
        after = int(request.url.params["after"])
        return 200, page(*[event for event in found if event["seq"] > after])

    api.on("GET", f"/v1/jobs/{JOB}/events", answer)


def keys(api):
    return [
        request.headers["Idempotency-Key"] for request in api.requests if request.method == "POST"
    ]


def test_a_running_job_is_told_to_stop_and_the_way_on_is_shown(cli, known):
    known.on("POST", f"/v1/jobs/{JOB}/cancel", (202, job("canceling", cancel=TOLD)))
    result = cli("jobs", "cancel", "last", "--reason", "the wrong one")
    assert result.exit_code == 0
    assert f"Job {JOB} was told to stop." in result.stdout
    assert f"liftlock jobs wait {JOB}" in result.stdout
    assert f"liftlock jobs cancel {JOB} --force" in result.stdout
    assert known.sent("POST", f"/v1/jobs/{JOB}/cancel") == [
        {"force": False, "reason": "the wrong one"}
    ]


def test_a_job_that_had_not_begun_is_canceled_at_once(cli, known):
    known.on("POST", f"/v1/jobs/{JOB}/cancel", (202, job("canceled")))
    result = cli("jobs", "cancel", JOB)
    assert (result.exit_code, result.stdout) == (0, f"Job {JOB} is canceled.\n")


def test_waiting_for_a_cancel_shows_what_stops_when_and_who_asked(cli, known):
    known.on("POST", f"/v1/jobs/{JOB}/cancel", (202, job("canceling", cancel=TOLD)))
    ends(
        known,
        "canceled",
        ("job.canceling", {"by": "ann", "reason": "the wrong one", "force": False}),
        ("job.canceling", {"step": "build", "stops": "now", "then": "undo of 2 steps"}),
        cancel=TOLD,
    )
    result = cli("jobs", "cancel", JOB, "--force", "--wait")
    assert result.exit_code == 0
    assert "asked for by ann: the wrong one" in result.stdout
    assert "build stops now, then undo of 2 steps" in result.stdout
    assert "ann asked for it: the wrong one" in result.stdout
    assert known.sent("POST", f"/v1/jobs/{JOB}/cancel") == [{"force": True}]


def test_a_cancel_that_came_too_late_is_exit_1(cli, known):
    known.on("POST", f"/v1/jobs/{JOB}/cancel", (202, job("canceling", cancel=TOLD)))
    ends(known, "succeeded")
    assert cli("jobs", "cancel", JOB, "--wait").exit_code == 1


def test_a_refused_cancel_says_why(cli, known):
    refusal = problem(409, code="too-early", title="It is too early for that", hint="Wait 9 s")
    known.on("POST", f"/v1/jobs/{JOB}/cancel", refusal)
    result = cli("jobs", "cancel", JOB, "--force")
    assert result.exit_code == 2
    assert "too-early" in result.stderr
    assert len(keys(known)) == 1


def test_a_cancel_names_its_job(cli):
    assert cli("jobs", "cancel").exit_code == 2


def test_a_repeated_job_is_queued_or_waited_for(cli, known):
    known.on("POST", f"/v1/jobs/{JOB}/retry", (202, job("queued", retry_of=JOB)))
    assert f"Queued job {JOB}." in cli("jobs", "retry", "last").stdout
    ends(known, "succeeded")
    result = cli("jobs", "retry", "last", "--wait")
    assert result.exit_code == 0
    assert "Succeeded" in result.stdout


def test_a_question_is_answered(cli, known):
    known.on("POST", f"/v1/jobs/{JOB}/answer", (202, job("blocked")))
    result = cli("jobs", "answer", "last", "repeat")
    assert result.exit_code == 0
    assert f"Job {JOB} goes on." in result.stdout
    assert known.sent("POST", f"/v1/jobs/{JOB}/answer") == [{"answer": "repeat"}]
    assert cli("jobs", "answer", "last", "perhaps").exit_code == 2


@pytest.mark.parametrize(
    "words", [("cancel",), ("retry",), ("answer", "done")], ids=lambda words: words[0]
)
def test_with_json_the_job_itself_is_printed(cli, known, words):
    told = job("queued")
    known.on("POST", f"/v1/jobs/{JOB}/{words[0]}", (202, told))
    result = cli("jobs", words[0], JOB, *words[1:], "--json")
    assert json.loads(result.stdout) == told


def test_wishes_for_a_provision_are_sent_when_they_are_given(cli, api):
    api.on("POST", "/v1/jobs", (202, job("queued")))
    words = ["--priority", "-5", "--not-before", "2026-11-21T22:00:00Z"]
    words += ["--deadline", "2026-11-21T23:00:00+01:00", "--on-conflict", "supersede"]
    assert cli("provision", "shop", *words).exit_code == 0
    [body] = api.sent("POST", "/v1/jobs")
    assert (body["priority"], body["on_conflict"]) == (-5, "supersede")
    assert datetime.fromisoformat(body["not_before"]) == datetime(2026, 11, 21, 22, tzinfo=UTC)
    assert datetime.fromisoformat(body["deadline"]) == datetime(2026, 11, 21, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "seconds"), [("90s", 90), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061)]
)
def test_a_span_is_a_deadline_from_now(cli, api, span, seconds):
    api.on("POST", "/v1/jobs", (202, job("queued")))
    cli("provision", "shop", "--within", span)
    [body] = api.sent("POST", "/v1/jobs")
    wanted = datetime.now(UTC) + timedelta(seconds=seconds)
    assert abs(datetime.fromisoformat(body["deadline"]) - wanted) < timedelta(seconds=30)


@pytest.mark.parametrize(
    "words",
    [
        ("--within", "soon"),
        ("--within", "0s"),
        ("--within", "-5m"),
        ("--not-before", "tonight"),
        ("--not-before", "0001-01-01T00:00:00+05:00"),
        ("--deadline", "2026-13-01T00:00:00Z"),
        ("--within", "1h", "--deadline", "2026-11-21T22:00:00Z"),
        ("--priority", "101"),
        ("--on-conflict", "fight"),
    ],
)
def test_a_wish_that_cannot_be_read_is_refused_before_anything_is_sent(cli, api, words):
    result = cli("provision", "shop", *words)
    assert result.exit_code == 2
    assert words[0] in result.stderr
    assert api.requests == []


def test_a_job_that_waits_already_is_not_called_queued(cli, api):
    api.on("POST", "/v1/jobs", (200, job("queued")))
    result = cli("provision", "shop", "--on-conflict", "return")
    assert f"Job {JOB} waits already." in result.stdout


@pytest.mark.parametrize(
    "first",
    [
        httpx.ConnectError("Connection refused"),
        httpx.ReadError("Connection reset by peer"),
        problem(503, code="unavailable", title="A part does not answer"),
        problem(409, code="idempotency-in-progress", title="It is being answered"),
    ],
)
def test_a_post_whose_answer_was_lost_is_sent_again_with_the_same_key(cli, api, clock, first):
    api.on("POST", "/v1/jobs", first, (202, job("queued")))
    assert cli("provision", "shop").exit_code == 0
    assert len(keys(api)) == 2
    assert len(set(keys(api))) == 1
    assert clock.naps == [PAUSES[0]]


def test_a_post_is_sent_three_times_and_then_given_up(cli, api, clock):
    api.on("POST", "/v1/jobs", httpx.ConnectError("Connection refused"))
    assert cli("provision", "shop").exit_code == 5
    assert len(keys(api)) == 3
    assert clock.naps == list(PAUSES)


@pytest.mark.parametrize("status", [400, 409, 422, 500])
def test_a_refused_post_is_not_sent_again(cli, api, status):
    api.on("POST", "/v1/jobs", problem(status, code="conflict", title="No"))
    cli("provision", "shop")
    assert len(keys(api)) == 1


def test_each_post_has_a_key_of_its_own(cli, api):
    api.on("POST", "/v1/jobs", (202, job("queued")))
    cli("provision", "shop")
    cli("provision", "shop")
    assert len(set(keys(api))) == 2


def test_a_dry_run_is_marked_in_the_list(cli, api):
    api.on("GET", "/v1/jobs", page(job(dry_run=True), job()))
    dry, real = cli("jobs", "list").stdout.splitlines()[1:]
    assert "provision (dry run)" in dry
    assert "dry run" not in real
    shown = json.loads(cli("jobs", "list", "--json").stdout)
    assert [item["kind"] for item in shown] == ["provision", "provision"]


def test_the_version_is_printed_by_the_option_too(cli):
    assert cli("--version").stdout == cli("version").stdout != ""
