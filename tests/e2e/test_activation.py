"""Which app server visitors get: from POST through a worker, SSH and a real Caddy."""

import os
import secrets
import signal
from pathlib import Path

import pytest

from tests.support import sites
from tests.support.known_router import known_router

#: Whoever comes first waits for the stack, and then for five jobs.
pytestmark = pytest.mark.timeout(240)

BRIEFLY = {"drain": 5, "watch": 0}


@pytest.fixture
def router(stack, machine, tmp_path):
    with known_router(stack, machine, tmp_path / "known") as router:
        yield router


@pytest.fixture
def make_site(stack, machine, router, tmp_path):
    """Make an instance behind the router; its name. v1 says hello, v2 good evening."""
    repository = sites.repository(tmp_path / "site")
    folder = Path(repository.removeprefix("file://"))
    (folder / "index.html").write_text("<h1>good evening</h1>\n")
    sites.git(folder, "commit", "--quiet", "-a", "-m", "Another page")
    sites.git(folder, "tag", "v2")

    def make(**more):
        name = f"site-{secrets.token_hex(4)}"
        body = {
            "name": name,
            "recipe": "command",
            "repository": repository,
            "revision": "v1",
            "host": machine.name,
            "router": router.name,
            "domain": f"{name}.localhost",
            "settings": {"START_COMMAND": sites.SERVE},
            **more,
        }
        with stack.api as api:
            api.post("/v1/instances", json=body).raise_for_status()
        return name

    return make


@pytest.fixture
def site(make_site):
    return make_site()


@pytest.fixture
def page(router, site):
    """What visitors get."""
    return lambda: router.page(f"{site}.localhost")


def provision(stack, site, revision):
    job = stack.run(instance=site, revision=revision)
    assert job["status"] == "succeeded", job["error"]
    return job["app_server"]


def activate(stack, server):
    with stack.api as api:
        answer = api.post(f"/v1/app-servers/{server['id']}/activate", json=BRIEFLY)
        assert answer.status_code == 202, answer.text
    return stack.finished(answer.json())


def test_visitors_get_the_app_server_that_was_activated_last(stack, site, page):
    one, two = provision(stack, site, "v1"), provision(stack, site, "v2")
    # Nobody is in service: the router says so, or does not know the site yet.
    assert page() not in {"<h1>hello</h1>", "<h1>good evening</h1>"}
    seen = []
    for server in (one, two, one):
        job = activate(stack, server)
        assert job["status"] == "succeeded", job["error"]
        seen.append(page())
    assert seen == ["<h1>hello</h1>", "<h1>good evening</h1>", "<h1>hello</h1>"]


def test_an_app_server_that_has_died_is_not_put_into_service(stack, machine, site, page):
    one, two = provision(stack, site, "v1"), provision(stack, site, "v2")
    activate(stack, one)
    for pid in machine.processes(f"PORT={two['port']}\0"):
        os.kill(pid, signal.SIGKILL)
    job = activate(stack, two)
    assert (job["status"], job["service_state"]) == ("failed", "serving_old")
    assert page() == "<h1>hello</h1>"


# Below `localhost` Caddy signs by itself, so that nobody else is asked.
@pytest.mark.parametrize("mode", ["internal", "auto"])
def test_a_site_with_tls_is_served_asked_and_measured_over_tls(stack, router, make_site, mode):
    site = make_site(tls={"mode": mode})
    job = activate(stack, provision(stack, site, "v1"))
    assert (job["status"], job["service_state"]) == ("succeeded", "serving_new"), job["error"]
    domain, place = f"{site}.localhost", f"127.0.0.1:{router.server.tls_port}"
    assert router.secure_page(domain) == "<h1>hello</h1>"
    assert f"GET https://{domain}/ at {place} answered 200" in stack.output(job)
