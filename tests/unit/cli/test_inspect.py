"""`liftlock inspect`: a look at what serves, and what it has found."""

import pytest

from tests.unit.cli.fake import JOB, events, job
from tests.unit.cli.played_job import serve_events

ON = {"name": "stars", "version": "1.0", "host": "web-1"}
FILES = ["missing: stars/a.js", "missing: stars/b.js"]


@pytest.fixture
def look(cli, api):
    """What it says when the job tells this."""

    def run(*found):
        api.on("POST", "/v1/jobs", (202, job("queued", kind="inspect")))
        api.on("GET", f"/v1/jobs/{JOB}", job(kind="inspect", outcome="unchanged"))
        serve_events(api, events("job.queued", "job.started", *found, "job.succeeded"))
        return cli("inspect", "shop", "--wait")

    return run


def test_a_look_is_asked_for_and_can_be_followed(cli, api):
    api.on("POST", "/v1/jobs", (202, job("queued", kind="inspect")))
    told = cli("inspect", "shop")
    assert api.sent("POST", "/v1/jobs") == [{"kind": "inspect", "instance": "shop"}]
    assert f"liftlock jobs logs -f {JOB}" in told.stdout + told.stderr


def test_when_all_is_in_its_place_that_is_said(look):
    told = look()
    assert told.exit_code == 0
    assert "shop was looked at" in told.stdout + told.stderr
    assert "liftlock extensions list shop" in told.stdout + told.stderr


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"wrong": 2, "files": FILES}, "2 files; missing: stars/a.js, …"),
        ({"wrong": 1, "files": FILES[:1]}, "1 file; missing: stars/a.js"),
        ({"wrong": 0, "files": [], "stamp": False}, "no stamp"),
    ],
)
def test_what_is_missing_is_named(look, data, said):
    told = look(("extension.degraded", {**ON, "stamp": True, **data}))
    assert f"stars 1.0 is degraded on web-1 ({said})" in told.stdout + told.stderr


def test_what_is_back_is_named(look):
    told = look(("extension.recovered", ON))
    assert "stars 1.0 is whole again on web-1" in told.stdout + told.stderr
