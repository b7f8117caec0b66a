"""`liftlock jobs` and `provision`: the wait, the plan, and the exit codes."""

import json

import pytest

from tests.unit.cli.fake import JOB, events, job, page, problem
from tests.unit.cli.played_job import DONE, HAPPY, OUTPUT, STEP, end, interrupted, serve_events

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
    running.on("GET", f"/v1/jobs/{JOB}/events", page(*HAPPY[:3]), interrupted())
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
