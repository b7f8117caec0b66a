"""A site's static files, from its repository to a browser: published, verified, linked, kept."""

import re
import secrets

import httpx
import pytest

from examples.make_repository import make_repository

FOREVER = "public, max-age=31536000, immutable"
HASHED = re.compile(r"\.[0-9a-f]{12}\.")


@pytest.fixture
def guestbook(stack, machine, tmp_path):
    """A Django site that wants asset releases; its name."""
    make_repository(tmp_path / "guestbook")
    name = f"guestbook-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "recipe": "django",
        "repository": f"file://{tmp_path / 'guestbook'}",
        "revision": "v1",
        "host": machine.name,
        "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings", "ASSET_RELEASES": True},
    }
    with stack.api as api:
        assert api.post("/v1/instances", json=body).status_code == 201
    return name


def get(url):
    return httpx.get(url, trust_env=False)


def releases(stack, name):
    with stack.api as api:
        answer = api.get(f"/v1/instances/{name}/asset-releases").raise_for_status().json()
    return answer["items"]


def test_pages_link_immutable_files_that_stay_when_the_next_release_is_published(stack, guestbook):
    job = stack.run(instance=guestbook, seconds=300)
    assert job["status"] == "succeeded", job["error"]
    page = get(f"http://127.0.0.1:{job['app_server']['port']}/")
    links = re.findall(r'(?:href|src)="([^"]+\.(?:css|js|svg))"', page.text)
    assert len(links) >= 4
    first = {link: get(link) for link in links}
    for link, answer in first.items():
        assert link.startswith(f"{stack.environment['LIFTLOCK_ASSETS_URL']}{guestbook}/")
        assert HASHED.search(link)
        assert answer.status_code == 200, link
        assert answer.headers["Cache-Control"] == FOREVER

    (release,) = releases(stack, guestbook)
    assert release["status"] == "verified"
    server = job["app_server"]
    assert release["release"] == f"{server['commit'][:12]}-1-{server['id'][-8:]}"
    assert release["files"] == release["new_files"] > 4
    assert get(release["manifest_url"]).status_code == 200

    # v2 fails later, for its data; its files are published beside those of v1 all the same.
    newer = stack.run(instance=guestbook, revision="v2", seconds=300)
    assert (newer["status"], newer["error"]["code"]) == ("failed", "needs-upgrade")
    second, _ = releases(stack, guestbook)
    assert 0 < second["new_files"] < second["files"]
    assert {link: get(link).content for link in links} == {
        link: answer.content for link, answer in first.items()
    }
