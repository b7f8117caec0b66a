"""App servers that break after the switch: visitors get the one before again, by itself."""

import asyncio
import json
import secrets
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support import failing_site, sites
from tests.support.known_router import known_router
from tests.support.router_load import Load, close_clients

#: Whoever comes first waits for the stack and for the jobs of all.
pytestmark = pytest.mark.timeout(240)

RECIPE = """
name: failing-site
start: {run: exec python3 failing_site.py}
check: {path: /, every: 0.2}
smoke: [/basket]
"""
#: What each says, and how it breaks once visitors come.
REVISIONS = {
    "v1": {"says": "whole"},
    "v2": {"says": "mortal", "lives": 30},
    "v3": {"says": "half", "broken": "/basket"},
}
#: Far longer than it takes them to break: nothing else ends the watch.
WATCHED = {"drain": 1, "watch": 120}
#: From the first that is known of it until requests are turned back.
PROMISED = timedelta(seconds=10)


@pytest.fixture(scope="module")
def router(stack, demo_host, tmp_path_factory):
    with known_router(stack, demo_host, tmp_path_factory.mktemp("known")) as router:
        yield router


@pytest.fixture(scope="module")
def site(stack, demo_host, router, tmp_path_factory):
    """The name of an instance with v1 in service; its domain is the same below `localhost`."""
    name = f"failing-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "recipe": "failing-site",
        "repository": repository(tmp_path_factory.mktemp("failing")),
        "revision": "v1",
        "host": demo_host.name,
        "router": router.name,
        "domain": f"{name}.localhost",
    }
    with stack.api as api:
        headers = {"Content-Type": "application/yaml"}
        api.post("/v1/recipes", content=RECIPE, headers=headers).raise_for_status()
        api.post("/v1/instances", json=body).raise_for_status()
    job = stack.finished(activation(stack, provision(stack, name, "v1"), watch=0))
    assert job["status"] == "succeeded", job["error"]
    return name


@pytest.fixture(autouse=True)
async def _clients():
    yield
    await close_clients()


def repository(folder):
    """Its URL; one tag for each revision."""
    url = sites.repository(folder / "site")
    folder = Path(url.removeprefix("file://"))
    sites.git(folder, "tag", "--delete", "v1")
    shutil.copy(failing_site.__file__, folder)
    for tag, revision in REVISIONS.items():
        (folder / "revision.json").write_text(json.dumps(revision))
        sites.git(folder, "add", ".")
        sites.git(folder, "commit", "--quiet", "-m", tag)
        sites.git(folder, "tag", tag)
    return url


def provision(stack, site, revision):
    job = stack.run(instance=site, revision=revision)
    assert job["status"] == "succeeded", job["error"]
    return job["app_server"]


def activation(stack, server, **options):
    """The job, as soon as it is asked for."""
    with stack.api as api:
        body = {**WATCHED, **options}
        answer = api.post(f"/v1/app-servers/{server['id']}/activate", json=body)
        assert answer.status_code == 202, answer.text
    return answer.json()


def moment(events, kind, step, *, says=""):
    """When the first such event was."""
    return next(
        datetime.fromisoformat(event["at"])
        for event in events
        if (event["type"], event["data"].get("step")) == (kind, step)
        and says in event["data"].get("text", "")
    )


def in_service(stack, site):
    """Numbers of app servers by Postgres: their own rows, and the instance's account of them."""
    with stack.api as api:
        servers = api.get(f"/v1/instances/{site}/app-servers").raise_for_status().json()["items"]
        instance = api.get(f"/v1/instances/{site}").raise_for_status().json()
    active = [server["number"] for server in servers if server["is_active"]]
    assert active == [server["number"] for server in instance["active_app_servers"]]
    return active


def check_turned_back(stack, router, site, job, *, sign):
    """The whole promise but what the error says; `sign` was the first that the job heard of it."""
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back")
    assert (job["error"]["code"], job["error"]["step"]) == ("site-broken", "watch")
    assert job["service_state"] == "serving_old"
    events = stack.events(job)
    heard = moment(events, "step.output", "watch", says=sign)
    certain = moment(events, "step.failed", "watch")
    turned = moment(events, "step.undone", "router-switch")
    assert heard <= certain < turned < heard + PROMISED
    assert router.page(f"{site}.localhost", "/basket") == "whole"
    assert in_service(stack, site) == [1]
    # The router itself, read back: nothing is left to be told.
    route = stack.run(kind="route", instance=site)
    assert (route["status"], route["outcome"]) == ("succeeded", "unchanged")


def test_one_that_dies_half_a_minute_after_the_switch_is_turned_back(
    stack, demo_host, router, site
):
    server = provision(stack, site, "v2")
    job = stack.finished(activation(stack, server), seconds=180)
    refused = f"GET http://127.0.0.1:{server['port']}/: the port refuses connections, wanted 200"
    check_turned_back(stack, router, site, job, sign=refused)
    assert job["error"]["title"] == "AppServer 2 stopped by itself after the switch"
    assert refused in job["error"]["detail"]
    # Its time begins with the first who comes through the router, and that is this step.
    events, lives = stack.events(job), timedelta(seconds=REVISIONS["v2"]["lives"])
    met = moment(events, "step.started", "router-ask")
    assert moment(events, "step.failed", "watch") > met + lives
    run = demo_host.base / "apps" / site / "run" / str(server["number"])
    assert "GET /basket" in (run / "log").read_text()


async def test_one_that_answers_500_for_one_page_is_turned_back_and_loses_no_other_request(
    stack, demo_host, router, site
):
    server, domain = provision(stack, site, "v3"), f"{site}.localhost"
    async with Load(router.port, 8, ("/", "/slow", "/shelf"), 0.05, domain) as load:
        job = await asyncio.to_thread(lambda: stack.finished(activation(stack, server)))
        await load.answered(20)
    asked = f"GET http://{domain}/basket at 127.0.0.1:{router.port} answered 500, wanted 200"
    check_turned_back(stack, router, site, job, sign=asked)
    assert job["error"]["title"].endswith(" answers /basket wrongly after the switch")
    assert f"{asked}, 2 times in a row." in job["error"]["detail"]
    assert load.failures == []
    assert set(load.answers) == {"w", "h"}
    assert demo_host.processes(f"PORT={server['port']}\0")
    assert '"GET /basket HTTP/1.1" 500' in stack.output(job)
