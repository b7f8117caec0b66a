"""A Django site and an app from the package index, installed, changed and taken away for real."""

import re

import pytest

from tests.support import django_site

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(1500)]

PACKAGE, APP = "django-cookie-consent", "cookie_consent"
#: Its views import those of Django's users, which the guest book does without.
APPS = f"django.contrib.contenttypes, django.contrib.auth, {APP}"
OLD, NEW = "0.4.0", "1.0.0"
#: What each version brings for browsers, and its migrations.
STATIC = {
    OLD: {"cookie_consent/cookiebar.js"},
    NEW: {"cookie_consent/cookiebar.module.js", "cookie_consent/cookiebar.module.js.map"},
}
MIGRATIONS = {
    OLD: ["0001_initial", "0002_auto__add_logitem"],
    NEW: [
        "0001_initial",
        "0002_auto__add_logitem",
        "0003_alter_cookiegroup_varname",
        "0004_cookie_natural_key",
    ],
}
TABLES = {"cookie_consent_cookie", "cookie_consent_cookiegroup", "cookie_consent_logitem"}
RAISES_WHEN_READY = """\
from django.apps import AppConfig

class Config(AppConfig):
    name = "badready"

    def ready(self):
        raise RuntimeError("no such tool: badready")
"""
RAISES_AS_IT_MIGRATES = """\
from django.db import migrations, models

def fail(apps, schema_editor):
    raise RuntimeError("no such tool: badtable")

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Half", [("id", models.BigAutoField(primary_key=True))]),
        migrations.RunPython(fail),
    ]
"""
BAD = {
    "badready": {"badready/apps.py": RAISES_WHEN_READY},
    "badtable": {
        "badtable/migrations/__init__.py": "",
        "badtable/migrations/0001_initial.py": RAISES_AS_IT_MIGRATES,
    },
}


@pytest.fixture(scope="module")
def site(stack, sshd_host, tmp_path_factory):
    return django_site.provisioned(stack, sshd_host, tmp_path_factory.mktemp("django"))


def install(site, version):
    """The job, which succeeded: nothing is done when that version serves already."""
    job = site.change("install", package=PACKAGE, version=version, settings={"APP": APPS})
    assert job["status"] == "succeeded", job["error"]
    return job


def applied(site):
    """When each migration of the app was run."""
    return dict(site.rows(f"SELECT name, applied FROM django_migrations WHERE app = '{APP}'"))


def tables(site):
    return {name for (name,) in site.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}


def book(site):
    return site.rows("SELECT * FROM book_entry ORDER BY id")


def package_files(site):
    """The bytes of each file that the installed package brings for browsers, by its address."""
    source = site.packages / APP / "static"
    found = (path for path in source.rglob("*") if path.is_file())
    return {str(path.relative_to(source)): path.read_bytes() for path in found}


def check_served(site, version):
    """By the release's files, over HTTP, by every process, and as the API has it."""
    files = package_files(site)
    assert set(files) == STATIC[version]
    for path, content in files.items():
        answer = site.get(f"/static/{path}")
        assert (answer.status_code, answer.content) == (200, content), path
    # Case 13: also the process that did not answer first.
    assert all(APP in process["apps"] for process in site.processes().values())
    assert site.get("/cookies/").status_code == 200
    assert site.stamp(PACKAGE) == f"{version}\n"
    shown = site.extension(PACKAGE)
    assert (shown["status"], shown["version"], shown["load_error"]) == ("enabled", version, None)
    assert [host["stamp"] for host in shown["hosts"]] == [version]


def test_an_app_is_installed_with_its_tables_and_its_static_files(site):
    # Cases 1 and 9: no stamp, and no version of the data yet.
    entries = book(site)
    assert len(entries) == 2
    assert site.get("/cookies/").status_code == 404
    job = install(site, OLD)
    assert (job["outcome"], job["service_state"]) == ("changed", "serving_new")
    check_served(site, OLD)
    assert list(applied(site)) == MIGRATIONS[OLD]
    assert tables(site) >= TABLES
    assert book(site) == entries
    site.write(
        "INSERT INTO cookie_consent_cookiegroup"
        " (varname, name, description, is_required, is_deletable, ordering, created)"
        " VALUES ('boats', 'Of boats', '', 0, 1, 0, '2026-01-12 09:00:00')"
    )
    assert "Of boats" in site.get("/cookies/").text


def test_another_version_runs_the_migrations_that_are_missing_and_no_others(site):
    # Cases 2 and 9: an outdated stamp, and outdated data.
    install(site, OLD)
    [gone] = STATIC[OLD]
    before, entries = applied(site), book(site)
    install(site, NEW)
    check_served(site, NEW)
    assert site.get(f"/static/{gone}").status_code == 404
    after = applied(site)
    assert list(after) == MIGRATIONS[NEW]
    assert {name: after[name] for name in before} == before
    assert book(site) == entries


def test_the_same_version_again_changes_nothing(site):
    # Cases 4 and 9: the current version, of the release and of the data.
    install(site, NEW)
    before = site.whole()
    assert install(site, NEW)["outcome"] == "unchanged"
    assert site.whole() == before


@pytest.mark.parametrize(("name", "step"), [("badready", "static"), ("badtable", "enable")])
def test_an_app_that_raises_leaves_the_site_as_it_was(stack, site, name, step):
    # Case 10.
    install(site, NEW)
    before = site.whole()
    sha256 = django_site.upload(stack, name, **BAD[name])
    job = site.change("install", package=name, version="1.0", sha256=sha256, settings={"APP": name})
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert job["service_state"] == "serving_old"
    assert step in job["error"]["step"]
    assert site.whole() == before
    assert site.get("/").status_code == 200
    shown = site.extension(name)
    assert shown["status"] == "failed"
    message, empty, *traceback = shown["load_error"].splitlines()
    assert (bool(message), empty) == (True, "")
    assert traceback[0] == "Traceback (most recent call last):"
    assert f"RuntimeError: no such tool: {name}" in traceback
    check_served(site, NEW)


def test_a_static_file_that_is_removed_by_hand_costs_its_own_address_alone(site):
    # Case 27: degraded, not broken.
    install(site, NEW)
    page = site.get("/bar")
    [address] = re.findall(r"src='(/static/[^']+)'", page.text)
    assert site.get(address).status_code == 200
    before = site.whole()
    file = site.current / "staticfiles" / address.removeprefix("/static/")
    for path in (file, file.with_name(f"{file.name}.gz")):
        path.unlink()
        before["static files"].pop(path)
    assert site.get("/bar").text == page.text
    assert site.get("/").status_code == 200
    for _ in range(20):
        assert site.get(address).status_code == 404
    # Each process tells it once.
    told = [line for line in site.log().splitlines() if f"{address} is missing from" in line]
    assert 1 <= len(told) <= django_site.WORKERS
    assert site.whole() == before


def test_a_disabled_app_is_not_loaded_and_keeps_its_tables(site):
    install(site, NEW)
    before, entries = applied(site), book(site)
    groups = site.rows("SELECT * FROM cookie_consent_cookiegroup")
    job = site.change("disable", package=PACKAGE)
    assert job["status"] == "succeeded", job["error"]
    assert not any(APP in process["apps"] for process in site.processes().values())
    for address in ["/cookies/", *(f"/static/{path}" for path in package_files(site))]:
        assert site.get(address).status_code == 404, address
    assert site.extension(PACKAGE)["status"] == "disabled"
    assert (applied(site), book(site)) == (before, entries)
    assert site.rows("SELECT * FROM cookie_consent_cookiegroup") == groups
    job = site.change("enable", package=PACKAGE)
    assert job["status"] == "succeeded", job["error"]
    check_served(site, NEW)
    # Case 9: the data are of this version, and no migration runs.
    assert applied(site) == before


def test_an_older_version_takes_the_place_of_a_newer_one(site):
    # Cases 3 and 9: a newer stamp is replaced; newer data stay, and no migration runs.
    install(site, NEW)
    before = applied(site)
    install(site, OLD)
    check_served(site, OLD)
    for path in STATIC[NEW]:
        assert site.get(f"/static/{path}").status_code == 404, path
    assert applied(site) == before


def test_an_uninstalled_app_leaves_its_tables_and_no_file(site):
    install(site, OLD)
    before, entries = applied(site), book(site)
    addresses = [f"/static/{path}" for path in package_files(site)]
    job = site.change("uninstall", package=PACKAGE)
    assert job["status"] == "succeeded", job["error"]
    assert not any(APP in process["apps"] for process in site.processes().values())
    for address in ["/cookies/", *addresses]:
        assert site.get(address).status_code == 404, address
    assert not (site.packages / APP).exists()
    assert not (site.current / "staticfiles" / APP).exists()
    assert site.stamp(PACKAGE) is None
    with site.stack.api as api:
        known = f"/v1/instances/{site.name}/extensions/{PACKAGE}"
        assert api.get(known).status_code == 404
    # What an app wrote into the data is not the release's to take back.
    assert (applied(site), book(site)) == (before, entries)
    assert tables(site) >= TABLES
