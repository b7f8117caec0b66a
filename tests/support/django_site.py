"""The example guest book on a host, with pages that tell which apps a process has."""

import json
import re
import secrets
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from examples.make_repository import make_repository
from tests.support import sites, wheels
from tests.support.machines import Machine
from tests.support.stack import Stack, eventually

WORKERS = 2
#: URLs are the site's own matter: those of an extension are there while its app is.
URLS = """\
import os

from django.apps import apps
from django.http import JsonResponse
from django.urls import include, path
from django.views.generic import TemplateView

from book.views import book


def process(request):
    names = [app.name for app in apps.get_app_configs()]
    return JsonResponse({"pid": os.getpid(), "parent": os.getppid(), "apps": names})


urlpatterns = [path("", book, name="book"), path("process", process)]
if apps.is_installed("cookie_consent"):
    urlpatterns += [
        path("cookies/", include("cookie_consent.urls")),
        path("bar", TemplateView.as_view(template_name="bar.html")),
    ]
"""
BAR = (
    "{% load static %}"
    "<script type='module' src='{% static 'cookie_consent/cookiebar.module.js' %}'></script>\n"
)


def repository(folder: Path) -> str:
    """Its URL; the revision is `told`."""
    make_repository(folder)
    (folder / "guestbook" / "urls.py").write_text(URLS)
    (folder / "book" / "templates" / "bar.html").write_text(BAR)
    sites.git(folder, "add", ".")
    sites.git(folder, "commit", "--quiet", "-m", "Pages that tell of apps")
    sites.git(folder, "tag", "told")
    return f"file://{folder}"


@dataclass(frozen=True)
class DjangoSite:
    """One instance without a router: visitors know its port, which every release takes over."""

    stack: Stack
    machine: Machine
    name: str

    @property
    def app(self) -> Path:
        return self.machine.base / "apps" / self.name

    @property
    def current(self) -> Path:
        return self.app / "current"

    @property
    def packages(self) -> Path:
        """Where the serving release has its Python packages."""
        [found] = self.current.glob(".venv/lib/python3*/site-packages")
        return found

    def change(self, kind: str, **extension: Any) -> dict[str, Any]:
        """The job, which has ended."""
        wanted = {"kind": kind, "extension": extension, "watch": 0, "drain": 0}
        return self.stack.run(instance=self.name, seconds=300, **wanted)

    def extension(self, name: str) -> dict[str, Any]:
        with self.stack.api as api:
            answer = api.get(f"/v1/instances/{self.name}/extensions/{name}")
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def stamp(self, name: str) -> str | None:
        """Of the release that `current` leads to."""
        file = self.current / ".liftlock" / "extensions" / f"{name}.version"
        return file.read_text() if file.exists() else None

    def app_server(self) -> dict[str, Any]:
        """The newest that runs."""
        with self.stack.api as api:
            answer = api.get(f"/v1/instances/{self.name}/app-servers").raise_for_status()
        items: list[dict[str, Any]] = answer.json()["items"]
        return next(one for one in items if one["status"] == "running")

    @contextmanager
    def visitor(self) -> Iterator[httpx.Client]:
        url = f"http://127.0.0.1:{self.app_server()['port']}"
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            yield client

    def get(self, path: str) -> httpx.Response:
        with self.visitor() as visitor:
            return visitor.get(path)

    def sign(self, text: str) -> None:
        """As a visitor does, in the book."""
        with self.visitor() as visitor:
            [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', visitor.get("/").text)
            entry = {"name": "Ada", "text": text, "csrfmiddlewaretoken": token}
            answer = visitor.post("/", data=entry)
            assert answer.status_code == httpx.codes.FOUND, answer.text

    def processes(self) -> dict[int, dict[str, Any]]:
        """What each process of gunicorn says of itself, by its pid; all of them have answered."""
        found: dict[int, dict[str, Any]] = {}
        url = f"http://127.0.0.1:{self.app_server()['port']}/process"

        def ask(_: int) -> dict[str, Any]:
            told: dict[str, Any] = httpx.get(url, trust_env=False, timeout=60).json()
            return told

        def all_of_them() -> bool | None:
            found.update((told["pid"], told) for told in threads.map(ask, range(8)))
            return len(found) == WORKERS or None

        with ThreadPoolExecutor(8) as threads:
            eventually(all_of_them, f"{WORKERS} processes to answer", seconds=30)
        return found

    def log(self) -> str:
        """What its processes wrote, in all its releases."""
        return "".join(file.read_text() for file in (self.app / "run").glob("*/log"))

    def rows(self, query: str) -> list[Any]:
        """Of the site's own database."""
        with closing(sqlite3.connect(self.app / "shared" / "db.sqlite3")) as database:
            return database.execute(query).fetchall()

    def write(self, statement: str) -> None:
        with closing(sqlite3.connect(self.app / "shared" / "db.sqlite3", timeout=20)) as database:
            database.execute(statement)
            database.commit()

    def whole(self) -> dict[str, Any]:
        """Everything by which a visitor or the next job could tell that something was changed."""
        with closing(sqlite3.connect(self.app / "shared" / "db.sqlite3")) as database:
            dump = list(database.iterdump())
        return {
            "release": self.current.readlink(),
            "listed": json.loads((self.current / ".liftlock" / "extensions.json").read_text()),
            "app server": self.app_server(),
            "processes": self.processes(),
            "database": dump,
            "static files": {
                path: path.read_bytes()
                for path in (self.current / "staticfiles").rglob("*")
                if path.is_file()
            },
        }


def upload(stack: Stack, name: str, **files: str) -> str:
    """The SHA-256 of a wheel of version 1.0 with these files, which Liftlock has now."""
    record = "".join(f"{path},,\n" for path in (f"{name}/__init__.py", *files))
    content = wheels.wheel(name, "1.0", **files, **{f"{name}-1.0.dist-info/RECORD": record})
    with stack.api as api:
        answer = api.post(
            "/v1/packages",
            params={"filename": wheels.filename(name, "1.0")},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
    assert answer.status_code in {200, 201}, answer.text
    sha256: str = answer.json()["sha256"]
    return sha256


def provisioned(stack: Stack, machine: Machine, folder: Path) -> DjangoSite:
    """It answers, and one visitor has signed."""
    site = DjangoSite(stack, machine, f"guestbook-{secrets.token_hex(4)}")
    body = {
        "name": site.name,
        "recipe": "django",
        "repository": repository(folder / site.name),
        "revision": "told",
        "host": machine.name,
        "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings", "WORKERS": WORKERS},
    }
    with stack.api as api:
        assert api.post("/v1/instances", json=body).status_code == httpx.codes.CREATED
    job = stack.run(instance=site.name, seconds=300)
    assert job["status"] == "succeeded", job["error"]
    site.sign("Through the lock at noon.")
    return site
