"""Django and WhiteNoise read our manifest, and every page of the admin finds its files."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.reference.crawl import Crawl
from tests.support import reference

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

SITE = Path(__file__).parent / "site"
USER, PASSWORD = "ada", "shelves and ladders"
HASHED = re.compile(r"\.[0-9a-f]{12}(\.[^./]+)?$")
PAGES = (
    "/admin/library/book/add/",
    "/admin/library/book/1/change/",
    "/admin/library/book/1/change/?_popup=1",
    "/admin/library/book/1/delete/",
    "/admin/library/book/1/history/",
    "/admin/library/author/1/change/",
    "/admin/auth/user/add/?_popup=1",
    "/admin/auth/user/1/change/",
    "/admin/auth/user/1/password/",
    "/admin/autocomplete/?app_label=library&model_name=book&field_name=author&term=u",
)


@pytest.fixture(
    scope="module",
    params=[
        "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
        "whitenoise.storage.CompressedManifestStaticFilesStorage",
    ],
    ids=["django", "whitenoise"],
)
def crawl(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build(folder / "static")
    command = [str(reference.django()), str(SITE / "serve.py"), str(folder), request.param]
    log = folder / "log"
    with log.open("w") as errors:
        site = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        port = site.stdout.readline().strip()
        assert port, log.read_text()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield walk(client)
    finally:
        site.kill()
        site.communicate()


def build(out):
    admin = next(path for path in reference.sources("django") if "admin" in path.parts)
    command = [sys.executable, "-m", "worker.assets", "build", str(admin)]
    command += [str(SITE / "library" / "static"), str(out), "--compress", "gzip,br"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def walk(client):
    form = client.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)[1]
    answers = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token}
    answer = client.post("/admin/login/?next=/admin/", data=answers)
    assert answer.status_code == 302, answer.text
    crawl = Crawl(client, within="/admin/")
    for page in PAGES:
        crawl.visit(page, at_most=len(crawl.pages) + 1)
    crawl.visit("/admin/", at_most=60)
    return crawl


def static(crawl):
    return {path: answer for path, answer in crawl.files.items() if path.startswith("/static/")}


def test_every_page_answers(crawl):
    assert len(crawl.pages) >= 20
    assert {page for page, answer in crawl.pages.items() if answer.status_code != 200} == set()


def test_every_file_that_a_page_or_a_file_names_answers(crawl):
    assert len(crawl.files) >= 30
    assert {path for path, answer in crawl.files.items() if answer.status_code != 200} == set()


def test_every_static_file_has_its_hash_in_its_name(crawl):
    assert {path for path in static(crawl) if not HASHED.search(path)} == set()


def test_every_static_file_is_kept_for_ever_by_browsers(crawl):
    kept = {path: answer.headers.get("cache-control", "") for path, answer in static(crawl).items()}
    assert {path for path, control in kept.items() if "immutable" not in control} == set()


def test_the_crawl_went_through_style_sheets_and_modules(crawl):
    names = {re.sub(r"\.[0-9a-f]{12}\.", ".", path) for path in static(crawl)}
    assert {
        "/static/library/css/parts/base.css",
        "/static/library/img/cover.svg",
        "/static/library/js/ladder.js",
        "/static/library/js/late.js",
        "/static/admin/css/widgets.css",
        "/static/admin/img/calendar-icons.svg",
        "/static/admin/js/calendar.js",
        "/static/admin/js/autocomplete.js",
        "/static/admin/js/SelectFilter2.js",
    } <= names
