"""`liftlock jobs` and `provision`: the log without gaps, the wait, and the exit codes."""

import json

import httpx
import pytest

from tests.unit.cli.fake import JOB, events, job, page, problem

STEP = {"number": 1, "step": "check-host", "title": "Check the host"}
OUTPUT = ("step.output", {**STEP, "text": "disk ok\n"})
DONE = ("step.succeeded", {**STEP, "duration_ms": 420, "exit_code": 0})
HAPPY = events(
    ("job.queued", {"kind": "provision", "instance": "shop"}),
    ("job.started", {"worker": "w1", "attempt": 1}),
    ("step.started", STEP),
    OUTPUT,
    DONE,
    "job.succeeded",
)
ERROR = {
    "code": "step-failed",
    "title": "A command failed",
    "detail": "pip exited with 1 on web-1\nin releases/v1-1",
    "hint": "liftlock instances set shop --revision v2",
    "step": "install",
    "docs": "docs/errors.md#step-failed",
}
PLAN = [
    {
        "number": 1,
        "title": "Check the host",
        "script": "df -P .\ncommand -v git",
        "env": {"A": "1"},
        "secrets": ["[secret]"],
        "timeout": 60,
        "undo": {"script": "true"},
    }
]


def serve_events(api, found, size=200):
    """The events of the job, in pages of `size`, as the API would give them."""

    def answer(request):
        after = int(request.url.params["after"])
        return 200, page(*[event for event in found if event["seq"] > after][:size])

    api.on("GET", f"/v1/jobs/{JOB}/events", answer)


def asked_after(api):
    return [
        int(request.url.params["after"])
        for request in api.requests
        if request.url.path.endswith("/events")
    ]


@pytest.fixture
def running(api):
    """A job that is posted, runs and succeeds."""
    api.on("POST", "/v1/jobs", (202, job("queued")))
    api.on("GET", f"/v1/jobs/{JOB}", job())
    serve_events(api, HAPPY)
    return api


def end(api, status, **fields):
    api.on("GET", f"/v1/jobs/{JOB}", job(status, **fields))
    serve_events(api, [*HAPPY[:-1], *events((f"job.{status}", fields), first=6)])


def test_jobs_are_listed_newest_first_with_filters(cli, api):
    api.on("GET", "/v1/jobs", page(job(), after="c"))
    words = [
        "jobs",
        "list",
        "--status",
        "succeeded",
        "--kind",
        "provision",
        "--instance",
        "shop",
        "-n",
        "1",
    ]
    result = cli(*words)
    assert JOB in result.stdout
    query = dict(api.requests[0].url.params)
    assert query == {
        "status": "succeeded",
        "kind": "provision",
        "instance": "shop",
        "limit": "1",
    }
    assert len(api.requests) == 1


def test_last_is_the_newest_job(cli, api):
    api.on("GET", "/v1/jobs", page(job("running")))
    api.on("GET", f"/v1/jobs/{JOB}/steps", page({**STEP, "status": "running"}))
    result = cli("jobs", "show", "last")
    assert result.exit_code == 0
    assert JOB in result.stdout
    assert "Check the host" in result.stdout
    assert dict(api.requests[0].url.params) == {"limit": "1"}
    assert json.loads(cli("jobs", "show", "--json").stdout)["id"] == JOB


def test_last_of_no_jobs_says_how_to_make_one(cli, api):
    api.on("GET", "/v1/jobs", page())
    result = cli("jobs", "show", "last")
    assert result.exit_code == 2
    assert "liftlock provision" in result.stderr


def test_a_failed_job_is_shown_with_its_reason(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job("failed", error=ERROR, service_state="serving_old"))
    api.on("GET", f"/v1/jobs/{JOB}/steps", page())
    text = cli("jobs", "show", JOB).stdout
    for part in (*ERROR.values(), "serving old"):
        assert part.splitlines()[0] in text


def test_the_log_is_printed_to_its_end(cli, running):
    result = cli("jobs", "logs", JOB)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[2:5] == ["[1] Check the host", "disk ok", "    done in 0.4 s"]


def test_the_log_can_be_events_for_programs(cli, running):
    lines = cli("jobs", "logs", JOB, "--json", "--after", "2").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [3, 4, 5, 6]


def test_lines_of_the_log_can_say_when(cli, running):
    lines = cli("jobs", "logs", JOB, "-t").stdout.splitlines()
    assert all(line.startswith("2026-01-0") for line in lines)


def test_following_asks_behind_the_last_event_until_the_job_is_over(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job())
    serve_events(api, HAPPY, size=2)
    result = cli("jobs", "logs", JOB, "-f", "--json")
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [1, 2, 3, 4, 5, 6]
    assert asked_after(api) == [0, 2, 4]
    assert result.exit_code == 0


def test_following_slows_down_while_nothing_happens_and_speeds_up_again(cli, api, clock):
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))
    quiet = [page()] * 12
    first, second = [page(event) for event in (HAPPY[0], HAPPY[-1])]
    api.on("GET", f"/v1/jobs/{JOB}/events", *quiet, first, page(), second)
    cli("jobs", "logs", JOB, "-f")
    assert clock.naps[0] == pytest.approx(0.1)
    assert max(clock.naps) == 1.0
    assert clock.naps[:12] == sorted(clock.naps[:12])
    assert clock.naps[-1] == pytest.approx(0.1)


def test_an_idle_job_costs_one_request_in_25_seconds(cli, api, clock):
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))
    waits = []

    def answer(request):
        waits.append(int(request.headers["Prefer"].removeprefix("wait=")))
        found = [event for event in HAPPY if event["seq"] > int(request.url.params["after"])]
        if len(waits) in {2, 3, 4}:
            clock.at += waits[-1]
            found = []
        return 200, page(*(found[:3] if len(waits) == 1 else found))

    api.on("GET", f"/v1/jobs/{JOB}/events", answer)
    assert cli("jobs", "logs", JOB, "-f").exit_code == 1
    assert waits == [1, 1, 25, 25, 25]
    assert clock.naps == []


def test_a_wait_asks_for_no_longer_than_it_has_time(cli, api, clock):
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))

    def answer(request):
        clock.at += int(request.headers.get("Prefer", "wait=0").removeprefix("wait="))
        return 200, page()

    api.on("GET", f"/v1/jobs/{JOB}/events", answer)
    started = clock.at
    assert cli("jobs", "wait", JOB, "--timeout", "40").exit_code == 4
    assert clock.at - started == pytest.approx(40)


def test_a_job_so_old_that_its_events_are_gone_still_says_how_it_ended(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job())
    gone = problem(410, code="events-expired", title="The events were removed")
    api.on("GET", f"/v1/jobs/{JOB}/events", gone)
    assert cli("jobs", "wait", JOB).exit_code == 0
    refused = cli("jobs", "logs", JOB)
    assert refused.exit_code == 2
    assert "The events were removed" in refused.stderr


def test_following_survives_a_restart_of_the_api(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job())
    away = httpx.ConnectError("refused")
    starting = problem(503, code="unavailable", title="Not yet")
    rest = [page(*HAPPY[:3]), away, httpx.ReadTimeout("slow"), starting, page(*HAPPY[3:])]
    api.on("GET", f"/v1/jobs/{JOB}/events", *rest)
    result = cli("jobs", "logs", JOB, "-f")
    assert result.exit_code == 0
    assert "disk ok" in result.stdout
    assert asked_after(api) == [0, 3, 3, 3, 3]
    assert "does not answer" in result.stderr


def test_following_an_api_that_stays_away_ends_within_bounds_with_exit_5(cli, api, clock):
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))
    api.on("GET", f"/v1/jobs/{JOB}/events", page(*HAPPY[:3]), httpx.ConnectError("refused"))
    started = clock.at
    result = cli("jobs", "logs", JOB, "-f")
    assert result.exit_code == 5
    assert 60 <= clock.at - started < 70


def test_a_refusal_while_following_is_not_retried(cli, api, clock):
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))
    api.on("GET", f"/v1/jobs/{JOB}/events", problem(401, code="unauthorized", title="Revoked"))
    assert cli("jobs", "logs", JOB, "-f").exit_code == 2
    assert clock.naps == []


def test_following_from_behind_the_last_event_ends(cli, running):
    assert cli("jobs", "logs", JOB, "-f", "--after", "99").exit_code == 0


def test_output_of_the_host_cannot_steer_the_terminal_even_across_chunks(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job())
    texts = ["\x1b[3", "1mred\x1b[0m \x1b]0;own", "ed\x07title\r", "\nnext", " line"]
    outputs = [("step.output", {**STEP, "text": text}) for text in texts]
    serve_events(api, events(("step.started", STEP), *outputs, DONE, "job.succeeded"))
    lines = cli("jobs", "logs", JOB).stdout.splitlines()
    assert lines[1:3] == ["red title", "next line"]


def test_an_unfinished_line_is_shown_while_the_host_waits(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job())
    prompt = events(("step.started", STEP), ("step.output", {**STEP, "text": "Password: "}))
    api.on("GET", f"/v1/jobs/{JOB}/events", page(*prompt), KeyboardInterrupt_after())
    result = cli("jobs", "logs", JOB, "-f")
    assert "Password:" in result.stdout
    assert result.exit_code == 130


def KeyboardInterrupt_after():  # noqa: N802
    """An answer that is Ctrl-C."""

    def interrupt(_):
        raise KeyboardInterrupt

    return interrupt


def test_markup_in_output_is_shown_as_it_is(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job())
    text = "[red]not red[/red] :smile: [/nothing]\n"
    serve_events(api, events(("step.output", {**STEP, "text": text}), "job.succeeded"))
    assert text in cli("jobs", "logs", JOB).stdout


def test_provision_says_how_to_follow_the_job(cli, running):
    result = cli("provision", "shop", "--revision", "v2", "--host", "web-1")
    assert result.exit_code == 0
    assert f"liftlock jobs logs -f {JOB}" in result.stdout
    assert running.sent("POST", "/v1/jobs") == [
        {
            "kind": "provision",
            "instance": "shop",
            "host": "web-1",
            "revision": "v2",
            "dry_run": False,
        }
    ]
    assert json.loads(cli("provision", "shop", "--json").stdout)["id"] == JOB


def test_waiting_prints_plain_lines_without_a_terminal(cli, running):
    result = cli("provision", "shop", "--wait")
    assert result.exit_code == 0
    assert "[1/2] Check the host\n        done in 0.4 s\n" in result.stdout
    assert "shop v1 runs on web-1 as AppServer 1" in result.stdout
    assert "http://192.0.2.10:20000" in result.stdout


def test_waiting_with_json_prints_the_final_job_alone(cli, running):
    result = cli("provision", "shop", "--wait", "--json")
    assert json.loads(result.stdout) == job()
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("status", "code"), [("succeeded", 0), ("failed", 1), ("canceled", 3), ("superseded", 3)]
)
def test_the_exit_code_of_a_wait_is_the_jobs(cli, running, status, code):
    end(running, status)
    assert cli("provision", "shop", "--wait").exit_code == code
    assert cli("jobs", "wait", JOB).exit_code == code
    assert cli("jobs", "logs", JOB, "-f").exit_code == code


def test_a_failure_tells_everything_and_shows_the_last_output(cli, api):
    api.on("POST", "/v1/jobs", (202, job("queued")))
    api.on("GET", f"/v1/jobs/{JOB}", job("failed", error=ERROR, outcome="rolled_back"))
    output = "".join(f"line {number}\n" for number in range(40))
    failed = ("step.failed", {**STEP, "duration_ms": 900, "exit_code": 1})
    kinds = (("step.started", STEP), ("step.output", {**STEP, "text": output}), failed)
    serve_events(api, events(*kinds, ("job.failed", {"error": ERROR})))
    result = cli("provision", "shop", "--wait")
    assert result.exit_code == 1
    assert "| line 39\n" in result.stdout
    assert "line 2\n" not in result.stdout
    for part in (*ERROR.values(), "rolled back", f"liftlock jobs logs {JOB}"):
        assert part.splitlines()[0] in result.stdout


def test_a_wait_that_takes_too_long_is_exit_4_and_says_how_to_go_on(cli, api, clock):
    api.on("POST", "/v1/jobs", (202, job("queued")))
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))
    blocked = (
        "job.blocked",
        {"blocked_by": [{"kind": "capacity", "host": "web-1", "capacity": 2}]},
    )
    serve_events(api, events("job.queued", blocked))
    started = clock.at
    result = cli("provision", "shop", "--wait", "--timeout", "30")
    assert result.exit_code == 4
    assert clock.at - started == pytest.approx(30)
    assert "Waiting for a free place on host web-1 (2 at a time)" in result.stdout
    assert f"liftlock jobs wait {JOB}" in result.stderr


def test_a_job_that_never_stops_talking_still_times_out(cli, api, clock):
    api.on("GET", f"/v1/jobs/{JOB}", job("running"))

    def talk(request):
        clock.at += 1
        first = int(request.url.params["after"]) + 1
        return 200, page(*events(OUTPUT, first=first))

    api.on("GET", f"/v1/jobs/{JOB}/events", talk)
    assert cli("jobs", "wait", JOB, "--timeout", "10").exit_code == 4


def test_interrupting_a_wait_leaves_the_job_alone_and_says_so(cli, running):
    running.on("GET", f"/v1/jobs/{JOB}/events", page(*HAPPY[:3]), KeyboardInterrupt_after())
    result = cli("provision", "shop", "--wait")
    assert result.exit_code == 130
    assert "The job goes on" in result.stderr
    assert not [request for request in running.requests if request.method == "DELETE"]


def test_a_refused_request_is_exit_2(cli, api):
    refusal = problem(422, code="invalid-request", title="No such instance", hint="list them")
    api.on("POST", "/v1/jobs", refusal)
    assert cli("provision", "shop", "--wait").exit_code == 2


def test_a_dry_run_prints_the_plan_and_what_it_would_run(cli, running):
    running.on("GET", f"/v1/jobs/{JOB}/plan", {"items": PLAN})
    result = cli("provision", "shop", "--dry-run")
    assert result.exit_code == 0
    assert "1. Check the host" in result.stdout
    assert "   | command -v git" in result.stdout
    assert "[secret]" in result.stdout
    assert running.sent("POST", "/v1/jobs")[0]["dry_run"] is True
    assert json.loads(cli("provision", "shop", "--dry-run", "--json").stdout) == {"items": PLAN}


def test_a_dry_run_that_fails_says_why(cli, running):
    end(running, "failed", error=ERROR)
    result = cli("provision", "shop", "--dry-run")
    assert result.exit_code == 1
    assert "A command failed" in result.stdout


def test_a_plan_that_is_not_ready_says_what_to_type(cli, running):
    hint = f"Ask again in a second: liftlock jobs plan {JOB}"
    refusal = problem(404, code="plan-not-ready", title="Not yet", hint=hint)
    running.on("GET", f"/v1/jobs/{JOB}/plan", refusal)
    result = cli("jobs", "plan", JOB)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_a_job_whose_worker_died_says_so_and_goes_on(cli, running):
    recovered = ("job.recovered", {"worker": "w1", "attempt": 1})
    again = [*HAPPY[:3], *events(recovered, ("step.started", STEP), DONE, "job.succeeded", first=4)]
    serve_events(running, again)
    result = cli("jobs", "wait", JOB)
    assert result.exit_code == 0
    assert "waiting for another" in result.stdout
