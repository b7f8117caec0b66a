"""What happens beside the plan is told in words, in the log and while waiting."""

import pytest

from tests.unit.cli.fake import JOB, events, job, page

STEP = {"number": 1, "step": "start", "title": "Start it"}
ERROR = {"title": "No answer"}
TOLD = [
    ("step.retrying", {"try": 2, "of": 5, "wait_s": 1.5}, "try 2 of 5 in 1.5 s: No answer"),
    ("step.unknown", {}, "outcome unknown: No answer"),
    ("step.canceled", {"duration_ms": 1000}, "stopped after 1.0 s"),
    ("step.undone", {"step": "start"}, "undone: start"),
    ("step.undo_failed", {"step": "start"}, "NOT undone: start"),
    ("job.suspended", {"reason": "traffic drains"}, "without a worker: traffic drains"),
    ("job.suspended", {"until": "2026-11-21T07:00:00Z"}, "Waiting until 2026-11-21"),
    ("job.resumed", {"worker": "w2", "attempt": 2}, "Taken up by worker w2, attempt 2"),
    ("job.answered", {"by": "ci", "answer": "done", "step": "x"}, "Answered by ci: x done"),
    ("job.canceling", {"by": "ci", "force": True}, "Canceling, by force, asked for by ci"),
    ("job.canceling", {"step": "pip", "stops": "now"}, "Canceling: pip stops now, then it ends"),
    (
        "asset_release.published",
        {"files": 12, "bytes": 4_200_000, "new_files": 3, "new_bytes": 900, "warnings_total": 2},
        "    published 12 files (4.2 MB), 3 new (900 B), 2 warnings",
    ),
    (
        "asset_release.failed",
        {"release": "c0ffee-1", "errors_total": 1, "warnings_total": 1},
        "    asset release c0ffee-1 failed, 1 error, 1 warning",
    ),
    ("asset_release.verified", {"files": 12}, "    verified 12 files"),
    (
        "lock.broken",
        {"name": "instance:shop", "by": "ann", "reason": "it hangs"},
        "Its lock instance:shop was broken by ann: it hangs",
    ),
    ("job.handed_over", {"worker": "w1"}, "Handed over by worker w1"),
    ("lock.token_raised", {"name": "instance:1"}, "Its host knew a newer token of instance:1"),
    ("job.recovered", {"worker": "w1"}, "Its worker w1 went silent"),
]


def serve(api, *kinds):
    """A job that told this, and has ended."""
    found = events(*kinds, "job.succeeded")
    api.on("GET", f"/v1/jobs/{JOB}", job())
    api.on(
        "GET",
        f"/v1/jobs/{JOB}/events",
        lambda request: (
            200,
            page(*[one for one in found if one["seq"] > int(request.url.params["after"])]),
        ),
    )


@pytest.mark.parametrize(("kind", "data", "words"), TOLD)
def test_the_log_has_words_for_everything(cli, api, kind, data, words):
    serve(api, (kind, {"error": ERROR, **data}))
    assert words in cli("jobs", "logs", JOB).stdout


def test_waiting_shows_what_the_job_waits_for_and_that_it_is_canceled(cli, api):
    serve(
        api,
        ("job.suspended", {"reason": "traffic drains"}),
        "job.resumed",
        ("step.started", STEP),
        ("step.retrying", {"try": 2, "of": 5, "wait_s": 1.0, "error": ERROR}),
        ("job.canceling", {"by": "ci", "reason": "wrong revision"}),
        ("step.canceled", STEP),
    )
    shown = cli("jobs", "wait", JOB).stdout
    for part in ("traffic drains", "try 2 of 5 in 1.0 s", "asked for by ci: wrong revision"):
        assert part in shown


def test_waiting_shows_what_became_of_the_static_files(cli, api):
    counts = {"release": "c0ffee-1", "files": 12, "bytes": 4_200_000, "new_files": 3}
    serve(
        api,
        ("step.started", STEP),
        ("asset_release.failed", {**counts, "errors_total": 2}),
        ("asset_release.published", {**counts, "new_bytes": 900, "warnings_total": 1}),
    )
    shown = cli("jobs", "wait", JOB).stdout
    assert "        asset release c0ffee-1 failed, 2 errors\n" in shown
    assert "        published 12 files (4.2 MB), 3 new (900 B), 1 warning\n" in shown
