"""`liftlock provision --activate --wait`: the jobs that follow each other, to the last."""

import json

import pytest

from tests.unit.cli.fake import JOB, events, job, page

SECOND, THIRD = JOB[:-1] + "2", JOB[:-1] + "3"
FAILED = {"error": {"code": "step-failed", "title": "A command failed"}}
FOLLOWED = ("job.followed", {"job": SECOND, "why": "attempt", "attempt": 2, "of": 2})


@pytest.fixture
def ends(api):
    """Makes jobs that end as told, in the order in which they follow each other."""

    def end(*ends):
        api.on("POST", "/v1/jobs", (202, job("queued")))
        ids = [JOB, SECOND, THIRD]
        for number, (status, fields) in enumerate(ends):
            following = ids[number + 1] if number + 1 < len(ends) else None
            found = job(status, id=ids[number], **{"next": following, **fields})
            api.on("GET", f"/v1/jobs/{ids[number]}", found)
            told = events("job.queued", f"job.{status}")
            api.on("GET", f"/v1/jobs/{ids[number]}/events", page(*told))

    return end


def test_what_was_typed_is_sent(cli, api, ends):
    ends(("succeeded", {}))
    assert cli("provision", "shop", "--activate", "--attempts", "3").exit_code == 0
    sent = api.sent("POST", "/v1/jobs")[0]
    assert (sent["activate"], sent["attempts"]) == (True, 3)


def test_the_wait_goes_on_with_the_second_attempt_and_the_activation(cli, api, ends):
    ends(("failed", FAILED), ("succeeded", {}), ("succeeded", {"kind": "activate"}))
    result = cli("provision", "shop", "--activate", "--wait")
    assert result.exit_code == 0
    assert f"Failed: A command failed; job {SECOND} follows.\n" in result.stdout
    assert f"liftlock jobs logs {JOB}\n" in result.stdout
    assert f"Succeeded; job {THIRD} follows.\n" in result.stdout


def test_what_follows_is_told_when_it_is_made(cli, api, ends):
    ends(("failed", FAILED), ("succeeded", {}))
    told = events("job.queued", FOLLOWED, "job.failed")
    api.on("GET", f"/v1/jobs/{JOB}/events", page(*told))
    result = cli("provision", "shop", "--wait")
    assert f"Followed by job {SECOND}, which is attempt 2 of 2\n" in result.stdout


def test_why_no_other_attempt_follows_is_told(cli, api, ends):
    ends(("failed", FAILED))
    given_up = ("job.given_up", {"attempt": 1, "of": 2, "why": "Host alpha is quarantined."})
    api.on("GET", f"/v1/jobs/{JOB}/events", page(*events("job.queued", given_up, "job.failed")))
    told = cli("provision", "shop", "--activate", "--wait").stdout
    assert "No other attempt follows attempt 1 of 2: Host alpha is quarantined.\n" in told


@pytest.mark.parametrize(("status", "code"), [("failed", 1), ("canceled", 3), ("superseded", 3)])
def test_the_exit_code_is_that_of_the_last(cli, ends, status, code):
    ends(("succeeded", {}), (status, FAILED))
    assert cli("provision", "shop", "--activate", "--wait").exit_code == code


def test_a_program_gets_the_last_job_alone(cli, ends):
    ends(("failed", FAILED), ("succeeded", {}))
    assert json.loads(cli("provision", "shop", "--wait", "--json").stdout)["id"] == SECOND


def test_of_several_that_were_asked_for_together_one_failure_counts(cli, api, ends):
    ends(("failed", {**FAILED, "next": None}), ("succeeded", {"next": None}))
    api.on("POST", "/v1/jobs", (202, job("queued", others=[SECOND])))
    result = cli("provision", "shop", "--activate", "--wait")
    assert result.exit_code == 1
    assert "A command failed" in result.stdout


def test_the_timeout_is_for_all_of_them_together(cli, api, ends, clock):
    ends(("succeeded", {}), ("succeeded", {}))

    def slow(_):
        clock.at += 20
        return 200, page(*events("job.queued", "job.succeeded"))

    api.on("GET", f"/v1/jobs/{JOB}/events", slow)
    api.on("GET", f"/v1/jobs/{SECOND}", job("running", id=SECOND))
    api.on("GET", f"/v1/jobs/{SECOND}/events", page())
    started = clock.at
    result = cli("provision", "shop", "--wait", "--timeout", "30")
    assert result.exit_code == 4
    assert clock.at - started == pytest.approx(30)
    assert f"liftlock jobs wait {SECOND}" in result.stderr
