"""`liftlock extensions`: what is added to a site, and asking for more or less of it."""

import json

import pytest

from tests.support.wheels import filename, wheel
from tests.unit.cli.fake import JOB, events, job, page, problem
from tests.unit.cli.played_job import serve_events

EXTENSIONS = "/v1/instances/shop/extensions"
SHA256 = "a" * 64
HOST = {
    "host": {"id": "1", "name": "web-1"},
    "stamp": "6.1.0",
    "status": "installed",
    "error": None,
    "app_server": {"id": "3", "name": "AppServer 3"},
    "at": "2026-11-22T05:00:09Z",
}
FAILED = {
    **HOST,
    "host": {"id": "2", "name": "web-2"},
    "stamp": None,
    "status": "failed",
    "app_server": None,
    "error": {"title": "A step failed"},
}
MISSING = "AppServer 3: 1 file of taggit is not there as in the package:\nmissing: taggit/a.js"
DEGRADED = {
    **HOST,
    "status": "degraded",
    "error": {"title": "Not all in place", "detail": MISSING, "hint": "Build it anew: install  x"},
}
BAD = {"name": "x", "version": "1", "error": {"title": "It raises"}}
ADDED = ("extension.changed", {"name": "django-taggit", "version": "6.1.0", "status": "enabled"})


def extension(**fields):
    return {
        "id": JOB,
        "name": "django-taggit",
        "version": "6.1.0",
        "status": "enabled",
        "source": {"package": "Django_Taggit", "version": "6.1.0"},
        "settings": {"APP": "taggit"},
        "requires": ["stars"],
        "hosts": [HOST],
        "serving": {"version": "6.1.0", "enabled": True},
        "load_error": None,
        "error": None,
        "last_job": JOB,
        "created_at": "2026-11-22T05:00:00Z",
        "updated_at": "2026-11-22T05:00:09Z",
        **fields,
    }


def ended(kind="install", **fields):
    wanted = {"package": "django-taggit", "version": "6.1.0"}
    return job(**{"kind": kind, "params": {"extension": wanted}, "outcome": "changed", **fields})


@pytest.fixture
def asked(api):
    """Whatever is asked for is a job that succeeds."""
    api.on("POST", "/v1/jobs", (202, job("queued", kind="install")))
    api.on("GET", f"/v1/jobs/{JOB}", ended())
    serve_events(api, events("job.queued", "job.started", ADDED, "job.succeeded"))
    return api


def sent(api):
    [body] = api.sent("POST", "/v1/jobs")
    return body


def test_the_list_tells_what_each_host_has(cli, api):
    api.on("GET", EXTENSIONS, page(extension(hosts=[HOST, FAILED])))
    head, line = cli("extensions", "list", "shop").stdout.splitlines()
    assert head.split() == ["NAME", "VERSION", "STATUS", "SERVING", "HOSTS", "CHANGED"]
    assert line.startswith(
        "django-taggit  6.1.0    enabled  6.1.0    web-1 6.1.0, web-2 - (failed)"
    )


@pytest.mark.parametrize(
    ("serving", "told"),
    [(None, "-"), ({"version": "6.0.0", "enabled": False}, "6.0.0 (disabled)")],
)
def test_what_serves_may_have_another_version_or_none(cli, api, serving, told):
    api.on("GET", f"{EXTENSIONS}/django-taggit", extension(serving=serving))
    lines = cli("extensions", "show", "shop", "django-taggit").stdout.splitlines()
    assert f"serving     {told}" in lines


def test_one_that_is_degraded_is_enabled_and_shown_with_what_is_missing(cli, api):
    degraded = extension(hosts=[HOST, {**DEGRADED, "host": {"id": "2", "name": "web-2"}}])
    api.on("GET", EXTENSIONS, page(degraded))
    api.on("GET", f"{EXTENSIONS}/stars", degraded)
    listed = cli("extensions", "list", "shop").stdout
    assert "enabled  6.1.0    web-1 6.1.0, web-2 6.1.0 (degraded)" in listed
    shown = cli("extensions", "show", "shop", "stars").stdout
    assert "Not all in place" in shown
    assert shown.endswith(f"\n{MISSING}\n  hint     Build it anew: install  x\n")


def test_a_site_without_any_says_how_to_install_one(cli, api):
    api.on("GET", EXTENSIONS, page())
    told = cli("extensions", "list", "shop").stderr
    assert told == "None yet. Install one: liftlock extensions install shop PACKAGE VERSION\n"


def test_programs_get_them_as_they_are(cli, api):
    api.on("GET", EXTENSIONS, page(extension()))
    api.on("GET", f"{EXTENSIONS}/stars", extension())
    assert json.loads(cli("extensions", "list", "shop", "--json").stdout) == [extension()]
    assert json.loads(cli("extensions", "show", "shop", "stars", "--json").stdout) == extension()


def test_one_is_shown_with_its_hosts(cli, api):
    api.on("GET", f"{EXTENSIONS}/django-taggit", extension(hosts=[HOST, FAILED]))
    lines = cli("extensions", "show", "shop", "django-taggit").stdout.splitlines()
    assert "package     Django_Taggit" in lines
    assert "settings    APP=taggit" in lines
    assert [line.split()[:3] for line in lines[-2:]] == [
        ["web-1", "6.1.0", "installed"],
        ["web-2", "-", "failed"],
    ]


def test_one_that_failed_shows_its_traceback_and_where_the_log_is(cli, api):
    error = {"code": "extension-failed", "title": "The extension failed"}
    text = "It raises.\n\n  File \x1b[2J\nValueError"
    failed = extension(status="failed", load_error=text, error=error, hosts=[FAILED])
    api.on("GET", f"{EXTENSIONS}/stars", failed)
    told = cli("extensions", "show", "shop", "stars").stdout
    assert "\nIt raises.\n\n  File \nValueError\n" in told
    assert told.endswith(f"  log      liftlock jobs logs {JOB}\n")


def test_an_unknown_one_is_an_error_with_its_hint(cli, api):
    hint = "Did you mean stars? List them: liftlock extensions list shop"
    missing = problem(404, code="not-found", title="There is no such thing", hint=hint)
    api.on("GET", f"{EXTENSIONS}/star", missing)
    told = cli("extensions", "show", "shop", "star")
    assert told.exit_code == 2
    assert hint in told.stderr


def test_a_package_of_pypi_is_asked_for_by_name_and_version(cli, asked):
    told = cli("extensions", "install", "shop", "django-taggit", "6.1.0")
    assert told.exit_code == 0
    assert f"Queued job {JOB}." in told.stdout
    assert sent(asked) == {
        "kind": "install",
        "instance": "shop",
        "extension": {"package": "django-taggit", "version": "6.1.0"},
        "dry_run": False,
    }


def test_settings_requirements_and_force_go_along(cli, asked):
    options = ("--set", "APP=stars", "--set", "MODE=a=b", "--requires", "x", "--requires", "y")
    cli("extensions", "install", "shop", "stars", "1.0", *options, "--force")
    body = sent(asked)
    assert body["force"] is True
    assert body["extension"]["settings"] == {"APP": "stars", "MODE": "a=b"}
    assert body["extension"]["requires"] == ["x", "y"]


def test_a_wheel_is_uploaded_under_its_name_and_named_by_its_digest(cli, asked, tmp_path):
    file = tmp_path / filename()
    file.write_bytes(wheel())
    asked.on("POST", "/v1/packages", (201, {"sha256": SHA256}))
    cli("extensions", "install", "shop", "guestbook_stars", "1.2.0", "--wheel", str(file))
    [upload] = [one for one in asked.requests if one.url.path == "/v1/packages"]
    assert upload.content == wheel()
    assert dict(upload.url.params) == {"filename": filename()}
    assert upload.headers["content-type"] == "application/octet-stream"
    assert sent(asked)["extension"]["sha256"] == SHA256


def test_nothing_is_asked_for_when_the_wheel_is_refused(cli, asked, tmp_path):
    file = tmp_path / "stars.zip"
    file.write_bytes(b"")
    asked.on("POST", "/v1/packages", problem(422, code="invalid-wheel", title="No wheel"))
    told = cli("extensions", "install", "shop", "stars", "1.0", "--wheel", str(file))
    assert (told.exit_code, "No wheel" in told.stderr) == (2, True)
    assert asked.sent("POST", "/v1/jobs") == []


def test_an_archive_comes_with_its_digest(cli, asked):
    url = "https://files.invalid/stars-1.0.tar.gz"
    cli("extensions", "install", "shop", "stars", "1.0", "--archive", url, "--sha256", SHA256)
    assert sent(asked)["extension"] == {
        "package": "stars",
        "version": "1.0",
        "url": url,
        "sha256": SHA256,
    }


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--archive", "https://files.invalid/a.whl"), "--archive needs --sha256"),
        (("--wheel", "a.whl", "--sha256", SHA256), "--wheel needs no --archive"),
        (("--wheel", "/nowhere/a.whl"), "cannot be read"),
        (("--set", "APP"), "--set needs KEY=VALUE"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_sent(cli, api, options, why):
    told = cli("extensions", "install", "shop", "stars", "1.0", *options)
    assert (told.exit_code, why in told.stderr) == (2, True)
    assert api.requests == []


@pytest.mark.parametrize("verb", ["uninstall", "enable", "disable"])
def test_the_other_verbs_name_the_package_alone(cli, asked, verb):
    assert cli("extensions", verb, "shop", "stars").exit_code == 0
    assert sent(asked) == {
        "kind": verb,
        "instance": "shop",
        "extension": {"package": "stars"},
        "dry_run": False,
    }


@pytest.mark.parametrize("flag", ["--wait", "-w", "-f"])
def test_waiting_tells_what_became_of_it(cli, asked, flag):
    told = cli("extensions", "install", "shop", "django-taggit", "6.1.0", flag)
    assert told.exit_code == 0
    assert "        django-taggit 6.1.0 is enabled\n" in told.stdout
    done = "Succeeded in 34 s: django-taggit 6.1.0 is installed and enabled on shop.\n"
    assert told.stdout.endswith(f"{done}  next     liftlock extensions list shop\n")


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        ("install", "unchanged", "was there already; nothing of shop was changed"),
        ("uninstall", "changed", "is removed on shop"),
        ("enable", "changed", "is enabled on shop"),
        ("enable", "unchanged", "was enabled already; nothing of shop was changed"),
        ("disable", "changed", "is disabled on shop"),
    ],
)
def test_each_end_has_its_words(cli, asked, kind, outcome, words):
    asked.on("GET", f"/v1/jobs/{JOB}", ended(kind, outcome=outcome))
    assert words in cli("extensions", "enable", "shop", "x", "--wait").stdout


def test_a_job_that_fails_gives_its_exit_code(cli, asked):
    error = {"code": "extension-failed", "title": "The extension failed"}
    asked.on("GET", f"/v1/jobs/{JOB}", ended(status="failed", error=error))
    told = cli("extensions", "install", "shop", "stars", "1.0", "--wait")
    assert told.exit_code == 1
    assert "The extension failed" in told.stdout


def test_a_dry_run_prints_its_plan(cli, asked):
    step = {"number": 1, "name": "look", "title": "Look at the stamp", "action": "note"}
    asked.on("GET", f"/v1/jobs/{JOB}/plan", page(step))
    told = cli("extensions", "install", "shop", "stars", "1.0", "--dry-run")
    assert sent(asked)["dry_run"] is True
    assert "Look at the stamp" in told.stdout


def test_the_log_words_what_happens_to_extensions(cli, asked):
    told = (
        ("step.skipped", {"number": 2, "step": "build", "title": "Build it"}),
        ADDED,
        ("extension.failed", {**BAD, "status": "failed"}),
        ("extension.failed", {**BAD, "status": "enabled"}),
    )
    serve_events(asked, events(*told))
    shown = cli("jobs", "logs", JOB).stdout
    assert "    skipped: Build it\n" in shown
    assert "    django-taggit 6.1.0 is enabled\n" in shown
    assert "    x 1 failed: It raises\n" in shown
    assert "    x 1 failed: It raises; it is enabled, as before\n" in shown


def test_an_app_server_shows_what_its_release_contains(cli, api):
    contains = [
        {"name": "stars", "version": "1.0", "enabled": True},
        {"name": "tags", "version": "2.0", "enabled": False},
    ]
    shown = {"id": "a", "name": "AppServer 1", "number": 1, "extensions": contains}
    api.on("GET", "/v1/app-servers/shop%3A1", shown)
    assert "stars 1.0, tags 2.0 (disabled)" in cli("app-servers", "show", "shop:1").stdout
