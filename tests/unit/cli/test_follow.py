"""`liftlock jobs logs`: without a gap, to its end, across an API that goes away."""

import json

import httpx
import pytest

from tests.unit.cli.fake import JOB, events, job, page, problem
from tests.unit.cli.played_job import DONE, HAPPY, STEP, interrupted, serve_events


def asked_after(api):
    return [
        int(request.url.params["after"])
        for request in api.requests
        if request.url.path.endswith("/events")
    ]


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
    api.on("GET", f"/v1/jobs/{JOB}/events", page(*prompt), interrupted())
    result = cli("jobs", "logs", JOB, "-f")
    assert "Password:" in result.stdout
    assert result.exit_code == 130


def test_markup_in_output_is_shown_as_it_is(cli, api):
    api.on("GET", f"/v1/jobs/{JOB}", job())
    text = "[red]not red[/red] :smile: [/nothing]\n"
    serve_events(api, events(("step.output", {**STEP, "text": text}), "job.succeeded"))
    assert text in cli("jobs", "logs", JOB).stdout
