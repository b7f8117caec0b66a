"""POST /v1/jobs for extensions, of a site that serves."""

import hashlib

import pytest

from app import store
from tests.integration.api.conftest import INSTANCE, RECIPE, made
from tests.support import factories
from tests.support.problems import check_problem, pointers
from tests.support.wheels import filename, wheel

SECTION = """
extension:
  install:
    - name: pip
      run: pip install "$EXTENSION_REQUIREMENT"
"""
SHA256 = hashlib.sha256(wheel()).hexdigest()
INSTALL = {
    "kind": "install",
    "instance": "shop",
    "extension": {"package": "guestbook_stars", "version": "1.2.0", "sha256": SHA256},
}


@pytest.fixture
async def serving(client, db, host):
    """An app server in service, whose recipe knows extensions."""
    await made(client.post("/v1/recipes", json={"source": RECIPE + SECTION}))
    await made(client.post("/v1/instances", json=INSTANCE))
    async with db.transaction() as session:
        site = await store.instances.get(session, "shop")
        place = await store.hosts.get(session, "alpha")
    return await factories.add_app_server(db, site, place, is_active=True)


@pytest.fixture
async def uploaded(client):
    query, headers = {"filename": filename()}, {"Content-Type": "application/octet-stream"}
    request = client.post("/v1/packages", params=query, content=wheel(), headers=headers)
    return f"/v1/packages/{(await made(request))['sha256']}"


async def test_an_uploaded_wheel_is_asked_for_by_its_digest(client, serving, uploaded):
    response = await client.post("/v1/jobs", json={**INSTALL, "force": True, "watch": 5})
    job = response.json()
    assert (response.status_code, job["kind"], job["instance"]["name"]) == (202, "install", "shop")
    assert job["params"]["extension"] == INSTALL["extension"]
    assert (job["params"]["force"], job["params"]["watch"]) == (True, 5)


async def test_a_wheel_stays_while_an_open_job_needs_it(client, serving, uploaded):
    job = await made(client.post("/v1/jobs", json=INSTALL))
    problem = check_problem(await client.delete(uploaded), 409, "in-use")
    assert f"is needed by job {job['id']}" in problem["detail"]
    await made(client.post(f"{job['links']['self']}/cancel"))
    assert (await client.delete(uploaded)).status_code == 204
    again = await client.post(f"{job['links']['self']}/retry")
    assert pointers(again) == ["/extension/sha256"]


async def test_a_digest_that_nobody_uploaded_is_refused(client, serving):
    assert pointers(await client.post("/v1/jobs", json=INSTALL)) == ["/extension/sha256"]


async def test_a_wheel_of_another_package_is_refused(client, serving, uploaded):
    wanted = {**INSTALL["extension"], "version": "1.3"}
    response = await client.post("/v1/jobs", json={**INSTALL, "extension": wanted})
    assert pointers(response) == ["/extension/version"]


@pytest.mark.parametrize("kind", ["uninstall", "enable", "disable"])
async def test_what_is_not_installed_cannot_be_changed(client, serving, kind):
    body = {"kind": kind, "instance": "shop", "extension": {"package": "stars"}}
    assert pointers(await client.post("/v1/jobs", json=body)) == ["/extension/package"]
