"""`liftlock assets`: what became of a site's static files."""

import json

import pytest

from app.cli.text import size
from tests.unit.cli.fake import JOB, page, problem

RELEASES = "/v1/instances/shop/asset-releases"
WARNING = {
    "code": "missing-map",
    "message": "there is no app.js.map",
    "file": "js/app.js",
    "line": 41,
}
ERROR = {"code": "compiler-failed", "message": "lessc: exit 1\nline two", "file": "a.less"}


def release(**fields):
    return {
        "id": JOB,
        "release": "c0ffee-3",
        "instance_id": JOB,
        "app_server_id": JOB,
        "job_id": JOB,
        "revision": "c0ffee",
        "status": "verified",
        "hash": "5d41402abc4b",
        "files": 1229,
        "bytes": 52_400_000,
        "new_files": 12,
        "new_bytes": 310_112,
        "reused_files": 1217,
        "copies": 2104,
        "warnings_total": 1,
        "errors_total": 0,
        "base_url": "https://static.example.org/shop/",
        "manifest_url": "https://static.example.org/shop/_releases/c0ffee-3/assets.json",
        "verified_at": "2026-11-21T05:00:09Z",
        "created_at": "2026-11-21T05:00:04Z",
        **fields,
    }


def test_the_list_tells_how_many_files_how_big_and_how_many_are_new(cli, api):
    api.on("GET", RELEASES, page(release(), release(release="decade-2", status="failed")))
    first, second, third = cli("assets", "list", "shop").stdout.splitlines()
    columns = ["RELEASE", "STATUS", "FILES", "SIZE", "NEW", "WARNINGS", "ERRORS", "MADE"]
    assert first.split() == columns
    assert second.startswith("c0ffee-3  verified  1229   52.4 MB  12   1         0")
    assert third.startswith("decade-2  failed")


def test_a_site_without_any_is_said_to_have_none(cli, api):
    api.on("GET", RELEASES, page())
    assert cli("assets", "list", "shop").stderr == "It has no such asset release.\n"


def test_the_list_can_be_of_one_status(cli, api):
    api.on("GET", RELEASES, page(release(status="failed")))
    assert "failed" in cli("assets", "list", "shop", "--status", "failed").stdout
    assert dict(api.requests[-1].url.params)["status"] == "failed"


def test_a_status_that_there_is_not_names_those_that_there_are(cli):
    told = cli("assets", "list", "shop", "--status", "done")
    assert told.exit_code == 2
    assert "'published', 'verified', 'failed'" in told.stderr


def test_programs_get_the_list_and_the_release_as_they_are(cli, api):
    api.on("GET", RELEASES, page(release()))
    api.on("GET", f"{RELEASES}/c0ffee-3", release(warnings=[WARNING], errors=[]))
    assert json.loads(cli("assets", "list", "shop", "--json").stdout) == [release()]
    shown = json.loads(cli("assets", "show", "shop", "c0ffee-3", "--json").stdout)
    assert shown == release(warnings=[WARNING], errors=[])


def test_a_release_shows_its_sizes_and_where_its_warnings_are(cli, api):
    api.on("GET", f"{RELEASES}/c0ffee-3", release(warnings=[WARNING], errors=[]))
    told = cli("assets", "show", "shop", "c0ffee-3").stdout
    assert "files        1229 (52.4 MB)\n" in told
    assert "new          12 (310.1 kB)\n" in told
    assert "reused       1217\n" in told
    assert told.endswith("\nWarnings:\n  js/app.js:41: there is no app.js.map\n")


@pytest.mark.parametrize("said", ["js/app.js, line 41: ", "js/app.js:41: ", "js/app.js: ", ""])
def test_a_place_is_told_once(cli, api, said):
    warning = {**WARNING, "message": f"{said}there is no app.js.map"}
    api.on("GET", f"{RELEASES}/c0ffee-3", release(warnings=[warning], errors=[]))
    told = cli("assets", "show", "shop", "c0ffee-3").stdout
    assert told.endswith("\nWarnings:\n  js/app.js:41: there is no app.js.map\n")


def test_errors_come_first_on_a_line_each(cli, api):
    failed = release(status="failed", errors=[ERROR], errors_total=1, warnings=[WARNING])
    api.on("GET", f"{RELEASES}/c0ffee-3", failed)
    told = cli("assets", "show", "shop", "c0ffee-3").stdout
    assert "\nErrors:\n  a.less: lessc: exit 1 line two\n\nWarnings:\n" in told


def test_problems_that_are_not_kept_are_counted(cli, api):
    api.on("GET", f"{RELEASES}/c0ffee-3", release(warnings=[WARNING], warnings_total=900))
    assert "Warnings (the first 1 of 900):" in cli("assets", "show", "shop", "c0ffee-3").stdout


@pytest.mark.parametrize("place", [{}, {"file": None, "line": None}])
def test_a_problem_without_a_file_is_shown_alone(cli, api, place):
    api.on("GET", f"{RELEASES}/c0ffee-3", release(warnings=[{"code": "odd", **place}]))
    assert cli("assets", "show", "shop", "c0ffee-3").stdout.endswith("Warnings:\n  odd\n")


def test_what_stands_in_files_steers_no_terminal(cli, api):
    warning = {**WARNING, "file": "a\x1b[2J.js", "message": "x\x1b]0;title\x07y"}
    api.on("GET", f"{RELEASES}/c0ffee-3", release(warnings=[warning]))
    assert "\x1b" not in cli("assets", "show", "shop", "c0ffee-3").stdout


def test_an_unknown_release_is_an_error_with_its_hint(cli, api):
    hint = "Did you mean c0ffee-3? List them: liftlock assets list shop"
    missing = problem(404, code="not-found", title="There is no such thing", hint=hint)
    api.on("GET", f"{RELEASES}/c0ffee", missing)
    told = cli("assets", "show", "shop", "c0ffee")
    assert told.exit_code == 2
    assert hint in told.stderr


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_440_000, "1.4 MB"),
        (3_000_000_000, "3.0 GB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_sizes_are_worded_for_people(count, words):
    assert size(count) == words
