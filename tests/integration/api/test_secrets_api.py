import json
from uuid import UUID

import pytest
from sqlmodel import select

from app import services, store
from app.domain.extension import ExtensionStatus
from app.main import create_app
from app.models import Secret
from tests.integration.api.conftest import INSTANCE, RECIPE, made
from tests.support import wheels, worked
from tests.support.asset_reports import published
from tests.support.problems import check_problem, pointers

CANARY = "canary-7f3a9c51e8"
SECRETS = "/v1/instances/shop/secrets"
GENERATING = RECIPE.replace("start:", "secrets:\n  SECRET_KEY:\n    generate: 40\nstart:")


async def put(client, name, value):
    return await client.put(f"{SECRETS}/{name}", json={"value": value})


async def test_a_secret_is_listed_by_name_only(client, instance):
    response = await put(client, "API_KEY", CANARY)
    assert response.status_code == 200
    listed = await client.get(SECRETS)
    assert listed.json()["items"] == [response.json()]
    assert response.json().keys() == {"name", "updated_at"}


async def test_a_secret_is_nowhere_in_any_answer(app, client, db, vault, instance):
    await services.identities.ensure(db, vault)
    await put(client, "API_KEY", CANARY)
    job = await made(client.post("/v1/jobs", json={"kind": "provision", "instance": "shop"}))
    await made(client.post("/v1/locks", json={"on": "all", "message": "not today"}))
    edge = {"name": "edge", "kind": "caddy", "host": "alpha"}
    await made(client.post("/v1/routers", json=edge))
    row = await worked.claim(db, job["id"])
    await services.asset_releases.record(db, row, published())
    uploaded = await client.post(
        "/v1/packages",
        params={"filename": wheels.filename()},
        content=wheels.wheel(),
        headers={"Content-Type": "application/octet-stream"},
    )
    async with db.transaction() as session:
        await store.extensions.put(
            session,
            UUID(instance["id"]),
            name="plain",
            source={"package": "plain", "version": "1.0"},
            version="1.0",
            settings={},
            requires=(),
            status=ExtensionStatus.ENABLED,
            job_id=UUID(job["id"]),
        )
    # Else its stream would go on.
    await worked.end(db, job["id"])
    parts = {"{ref}": "shop", "{job_id}": job["id"], "{name}": "plain", "{version}": "1"}
    parts |= {"{release}": "c0ffee-1", "{sha256}": uploaded.json()["sha256"]}
    asked = 0
    for route in app.routes:
        if "GET" not in getattr(route, "methods", ()):
            continue
        path = route.path.replace("/hosts/{ref}", "/hosts/alpha")
        path = path.replace("/app-servers/{ref}", "/app-servers/shop:1")
        path = path.replace("/routers/{ref}", "/routers/edge")
        path = path.replace("/locks/{name}", "/locks/manual:all")
        for part, value in parts.items():
            path = path.replace(part, value)
        response = await client.get(path, follow_redirects=True)
        assert response.status_code == 200 or response.json()["code"] == "plan-not-ready", path
        assert CANARY not in response.text
        asked += 1
    assert asked > 15


async def test_a_secret_is_not_readable_in_the_database(client, db, vault, instance):
    await put(client, "API_KEY", CANARY)
    async with db.transaction() as session:
        row = (await session.exec(select(Secret))).one()
        revealed = await services.secrets.reveal(
            session, vault, await store.instances.get(session, "shop")
        )
    assert CANARY.encode() not in row.ciphertext
    assert revealed == {"API_KEY": CANARY}


async def test_a_secret_is_replaced(client, db, vault, instance):
    for value in ("first value", "second value"):
        await put(client, "API_KEY", value)
    async with db.transaction() as session:
        row = await store.instances.get(session, "shop")
        assert await services.secrets.reveal(session, vault, row) == {"API_KEY": "second value"}


@pytest.mark.parametrize(
    "value", ["short", "x" * 65_537, "\u00e4" * 40_000, "with\x00nul", 1, None]
)
async def test_a_value_that_cannot_be_kept_is_refused_and_not_repeated(client, instance, value):
    response = await put(client, "API_KEY", value)
    assert pointers(response) == ["/value"]
    assert json.dumps(value)[1:-1] not in response.text or value in {1, None}
    assert (await client.get(SECRETS)).json()["items"] == []


@pytest.mark.parametrize(
    "name", ["lower", "1A", "A-B", "PATH", "LIFTLOCK_X", "BIND", "NAMES", "A" * 65]
)
async def test_a_name_that_scripts_cannot_see_is_refused(client, instance, name):
    check_problem(await put(client, name, CANARY), 422)
    assert (await client.get(SECRETS)).json()["items"] == []


async def test_the_deploy_key_has_a_name_of_its_own(client, instance):
    assert (await put(client, "DEPLOY_KEY", CANARY)).status_code == 200


async def test_a_secret_is_deleted_once(client, instance):
    await put(client, "API_KEY", CANARY)
    assert (await client.delete(f"{SECRETS}/API_KEY")).status_code == 204
    check_problem(await client.delete(f"{SECRETS}/API_KEY"), 404)


async def test_an_instance_that_is_not_there_has_no_secrets(client):
    check_problem(await put(client, "API_KEY", CANARY), 404)


async def test_generated_secrets_are_made_with_the_instance(client, db, vault, host):
    await made(client.post("/v1/recipes", json={"source": GENERATING}))
    created = await client.post("/v1/instances", json=INSTANCE)
    assert [item["name"] for item in (await client.get(SECRETS)).json()["items"]] == ["SECRET_KEY"]
    async with db.transaction() as session:
        row = await store.instances.get(session, "shop")
        (value,) = (await services.secrets.reveal(session, vault, row)).values()
    assert len(value) == 40
    assert value not in created.text


async def test_generated_secrets_are_made_when_the_recipe_changes(client, instance):
    await made(client.post("/v1/recipes", json={"source": GENERATING}))
    body, headers = {"recipe": "plain"}, {"If-Match": "*"}
    await made(client.patch("/v1/instances/shop", json=body, headers=headers))
    assert [item["name"] for item in (await client.get(SECRETS)).json()["items"]] == ["SECRET_KEY"]


def test_no_route_reads_a_secret():
    app = create_app(None, None, None, None)
    reading = [
        r.path for r in app.routes if "GET" in getattr(r, "methods", ()) and "/secrets/" in r.path
    ]
    assert reading == []


async def test_the_secrets_of_an_instance_have_an_end_together(client, instance):
    large = "x" * 65_536
    for number in range(8):
        assert (await put(client, f"LARGE_{number}", large)).status_code == 200
    response = await put(client, "ONE_MORE", "x" * 8)
    assert pointers(response) == ["/value"]
    assert len((await client.get(SECRETS)).json()["items"]) == 8
    assert (await put(client, "LARGE_7", large[:-8])).status_code == 200
    assert (await put(client, "ONE_MORE", "x" * 8)).status_code == 200
