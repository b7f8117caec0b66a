"""A job that waits says who is in the way, how that is, which place it has, and what next."""

import json
from datetime import UTC, datetime

import pytest

from tests.unit.cli.fake import JOB, events, job, page, problem
from tests.unit.cli.played_job import serve_events
from tests.unit.cli.test_locks import OTHER, lock

HOLDER = {
    "kind": "lock",
    "locks": ["instance:1"],
    "job": OTHER,
    "job_kind": "provision",
    "why": "provision of shop to v1",
    "actor": "ann",
    "since": datetime.now(UTC).isoformat(),
    "hint": f"Wait for it: liftlock jobs logs -f {OTHER}",
}
UNTIL = "2026-11-21T06:00:00+00:00"
WORDS = (
    f"job {OTHER} (provision of shop to v1 by ann, since ",
    "Install the requirements, for 2 min",
    "Collecting django",
    "yes, heard 2",
    "2 in line",
    "2026-11-2",
    "liftlock jobs logs -f",
)


@pytest.fixture
def blocked(api):
    """It waits for the lock of its instance."""
    waits = job("blocked", blocked_by=[HOLDER], position=2, waits_until=UNTIL)
    api.on("GET", f"/v1/jobs/{JOB}", waits)
    api.on("GET", f"/v1/jobs/{JOB}/steps", page())
    api.on("GET", "/v1/locks/instance%3A1", lock())
    return api


def ends(api, *states):
    """Its states, one for each look, and then it has succeeded."""
    api.on("GET", f"/v1/jobs/{JOB}", *states, job())
    told = [("job.blocked", {"blocked_by": [HOLDER]}), "job.started", "job.succeeded"]
    serve_events(api, events("job.queued", *told))


@pytest.mark.parametrize("words", WORDS)
def test_a_blocked_job_answers_a_persons_questions(cli, blocked, words):
    assert words in cli("jobs", "show", JOB).stdout


def test_programs_get_the_blocked_job_as_it_is(cli, blocked):
    shown = json.loads(cli("jobs", "show", JOB, "--json").stdout)
    assert shown["blocked_by"] == [HOLDER]
    assert [request.url.path for request in blocked.requests] == [f"/v1/jobs/{JOB}"]


def test_while_the_holder_lives_it_is_said_when_this_one_begins(cli, blocked):
    assert cli("jobs", "show", JOB).stdout.rstrip().endswith(HOLDER["hint"])


def test_who_is_third_in_line_sees_who_holds_the_lock_and_who_goes_first(cli, blocked):
    older = {"kind": "order", "job": OTHER, "hint": f"It begins after job {OTHER}."}
    waits = job("blocked", blocked_by=[older], position=2)
    blocked.on("GET", f"/v1/jobs/{JOB}", waits)
    told = cli("jobs", "show", JOB).stdout
    assert f"job {OTHER}, which was asked for earlier" in told
    assert f"instance:shop, held by job {JOB}" in told
    assert told.rstrip().endswith(older["hint"])


def test_a_lock_that_was_let_go_in_the_meantime_is_no_error(cli, blocked):
    blocked.on("GET", "/v1/locks/instance%3A1", problem(404, code="not-found", title="None"))
    result = cli("jobs", "show", JOB)
    assert result.exit_code == 0
    assert "2 in line" in result.stdout
    assert HOLDER["hint"] in result.stdout


def test_when_the_holder_has_no_living_worker_it_is_said_what_the_lock_needs(cli, blocked):
    blocked.on("GET", "/v1/locks/instance%3A1", lock(alive=False))
    told = cli("jobs", "show", JOB).stdout
    assert told.rstrip().endswith(lock()["advice"])
    assert HOLDER["hint"] not in told


def test_what_is_no_lock_is_told_with_what_to_do(cli, api):
    full = {"kind": "capacity", "host": "web-1", "capacity": 2, "hint": "Wait, or raise it."}
    api.on("GET", f"/v1/jobs/{JOB}", job("blocked", blocked_by=[full], position=1))
    api.on("GET", f"/v1/jobs/{JOB}/steps", page())
    told = cli("jobs", "show", JOB).stdout
    for part in ("a free place on host web-1", "1 in line", "Wait, or raise it."):
        assert part in told


@pytest.mark.parametrize("words", [("jobs", "wait"), ("jobs", "logs", "-f")], ids=" ".join)
def test_whoever_follows_a_blocked_job_is_told_too(cli, api, blocked, words):
    waits = job("blocked", blocked_by=[HOLDER], position=2, waits_until=UNTIL)
    ends(api, waits, waits)
    told = cli(*words, JOB).stdout
    assert f"Waiting for job {OTHER}" in told
    for part in WORDS[1:]:
        assert part in told


def test_a_job_that_was_blocked_once_is_not_said_to_be_now(cli, api, blocked):
    ends(api)
    assert "in line" not in cli("jobs", "wait", JOB).stdout


def test_a_stream_of_events_for_programs_has_only_events(cli, api, blocked):
    waits = job("blocked", blocked_by=[HOLDER], position=2)
    ends(api, waits, waits)
    for line in cli("jobs", "logs", "-f", JOB, "--json").stdout.splitlines():
        assert "seq" in json.loads(line)
