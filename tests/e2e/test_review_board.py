"""Review Board from the package index, its extension, and one that raises: on a real sshd host."""

import secrets
import sqlite3

import httpx
import pytest

from tests.support import wheels

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(1500)]

PASSWORD = secrets.token_hex(12)
REVIEWBOT = "reviewbotext.extension.ReviewBotExtension"
RAISES = """\
from reviewboard.extensions.base import Extension

class BadExtension(Extension):
    def initialize(self):
        raise RuntimeError("no such tool: badbot")
"""


@pytest.fixture(scope="module")
def board(stack, sshd_host):
    """Its name; provisioned and answering."""
    name = f"board-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "recipe": "reviewboard",
        "repository": "pypi:ReviewBoard",
        "revision": "8.1",
        "host": sshd_host.name,
        "settings": {"WORKERS": 1},
    }
    with stack.api as api:
        assert api.post("/v1/instances", json=body).status_code == 201
        secret = f"/v1/instances/{name}/secrets/ADMIN_PASSWORD"
        assert api.put(secret, json={"value": PASSWORD}).status_code in {200, 201, 204}
    job = stack.run(instance=name, seconds=900)
    assert job["status"] == "succeeded", job["error"]
    return name


def changed(stack, board, kind, **extension):
    """The job, which has ended."""
    return stack.run(instance=board, kind=kind, extension=extension, watch=0, drain=0, seconds=600)


def serving(stack, board):
    """The address of the newest app server that runs."""
    with stack.api as api:
        items = api.get(f"/v1/instances/{board}/app-servers").raise_for_status().json()["items"]
    port = next(one["port"] for one in items if one["status"] == "running")
    return f"http://127.0.0.1:{port}"


def told(stack, board, known):
    """What Review Board says of the extension, to its administrator."""
    url = f"{serving(stack, board)}/api/extensions/{known}/"
    answer = httpx.get(url, auth=("admin", PASSWORD), trust_env=False, timeout=60)
    return answer.raise_for_status().json()["extension"]


def kept(stack, board, name):
    with stack.api as api:
        return api.get(f"/v1/instances/{board}/extensions/{name}").raise_for_status().json()


def enabled(sshd_host, board):
    """As Review Board's own database has it."""
    file = sshd_host.base / "apps" / board / "shared" / "reviewboard.db"
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT class_name, enabled FROM extensions_registeredextension")
        return {name for name, is_enabled in rows if is_enabled}


def test_an_extension_is_enabled_and_its_media_answer_with_the_right_bytes(stack, sshd_host, board):
    job = changed(stack, board, "install", package="reviewbot-extension", version="4.1")
    assert job["status"] == "succeeded", job["error"]
    assert REVIEWBOT in enabled(sshd_host, board)
    shown = told(stack, board, REVIEWBOT)
    assert (shown["enabled"], shown["can_disable"], shown["load_error"]) == (True, True, None)
    current = sshd_host.base / "apps" / board / "current"
    [source] = current.glob(".venv/lib/python3*/site-packages/reviewbotext/static")
    files = [path for path in source.rglob("*") if path.is_file()]
    assert len(files) > 20
    with httpx.Client(base_url=serving(stack, board), trust_env=False) as visitor:
        for path in files:
            answer = visitor.get(f"/static/ext/{REVIEWBOT}/{path.relative_to(source)}")
            assert (answer.status_code, answer.content) == (200, path.read_bytes()), path
    assert kept(stack, board, "reviewbot-extension")["status"] == "enabled"


def test_one_that_raises_is_disabled_again_and_the_site_is_untouched(stack, sshd_host, board):
    before = enabled(sshd_host, board)
    info = "badbot-1.0.dist-info"
    files = {
        "badbot/extension.py": RAISES,
        f"{info}/entry_points.txt": "[reviewboard.extensions]\n"
        "badbot = badbot.extension:BadExtension\n",
        f"{info}/RECORD": "badbot/__init__.py,,\nbadbot/extension.py,,\n",
    }
    content = wheels.wheel("badbot", "1.0", **files)
    with stack.api as api:
        uploaded = api.post(
            "/v1/packages",
            params={"filename": wheels.filename("badbot", "1.0")},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        assert uploaded.status_code == 201, uploaded.text
    sha256 = uploaded.json()["sha256"]
    job = changed(stack, board, "install", package="badbot", version="1.0", sha256=sha256)
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert job["service_state"] == "serving_old"
    assert enabled(sshd_host, board) == before
    found = kept(stack, board, "badbot")
    assert found["status"] == "failed"
    assert "Traceback (most recent call last):" in found["load_error"]
    assert found["load_error"].rstrip().endswith("RuntimeError: no such tool: badbot")
    page = httpx.get(f"{serving(stack, board)}/account/login/", trust_env=False, timeout=60)
    assert (page.status_code, 'name="username"' in page.text) == (200, True)
