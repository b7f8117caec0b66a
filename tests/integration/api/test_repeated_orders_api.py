"""Orders about app servers and routers that are sent again: answered, whatever came in between."""

import pytest

from app import store
from tests.support import deployments, factories
from tests.support.problems import check_problem

KEY = {"Idempotency-Key": "release-of-friday"}
#: Where it is asked for, how, and another body that the same place takes.
ACTIVATE = ("/v1/app-servers/shop:2/activate", {"drain": 5, "watch": 0}, {"drain": 6, "watch": 0})
DEACTIVATE = ("/v1/app-servers/shop:1/deactivate", {"drain": 5}, {})
TERMINATE = ("/v1/app-servers/shop:2/terminate", {}, {"drain": 5})
ROUTER = {"name": "edge-2", "kind": "nginx", "host": "alpha"}
ORDERS = [
    ACTIVATE,
    DEACTIVATE,
    TERMINATE,
    (
        "/v1/jobs",
        {"kind": "activate", "app_servers": ["shop:2"]},
        {"kind": "activate", "app_servers": ["shop:1", "shop:2"]},
    ),
    (
        "/v1/jobs",
        {"kind": "deactivate", "app_server": "shop:1"},
        {"kind": "deactivate", "app_server": "shop:1", "drain": 1},
    ),
    (
        "/v1/jobs",
        {"kind": "terminate", "app_server": "shop:2"},
        {"kind": "deactivate", "app_server": "shop:1"},
    ),
    ("/v1/jobs", {"kind": "route", "instance": "shop"}, {"kind": "route", "instance": "store"}),
    (
        "/v1/jobs",
        {"kind": "provision", "instance": "shop", "activate": True, "attempts": 3},
        {"kind": "provision", "instance": "shop", "activate": True},
    ),
]


def named(order):
    return order[1].get("kind", order[0].rpartition("/")[2])


@pytest.fixture
async def shop(db, instance):
    """Behind a router, with two app servers that run; the first is in service."""
    async with db.transaction() as session:
        row = await store.instances.get(session, "shop")
        host = await store.hosts.get(session, "alpha")
    router = await factories.add_router(db, host)
    await factories.change(db, row, router_id=router.id)
    for is_active in (True, False):
        await factories.add_app_server(db, row, host, is_active=is_active)
    return row


async def counted(client):
    """Jobs that were asked for, and wait."""
    return len((await client.get("/v1/jobs?status=queued")).json()["items"])


@pytest.mark.parametrize(("place", "body", "other"), ORDERS, ids=map(named, ORDERS))
async def test_the_same_again_is_the_same_job_and_another_body_is_refused(
    client, shop, place, body, other
):
    first = await client.post(place, json=body, headers=KEY)
    assert first.status_code == 202, first.text
    again = await client.post(place, json=body, headers=KEY)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    wrong = await client.post(place, json=other, headers=KEY)
    check_problem(wrong, 422, "idempotency-key-reused")
    assert await counted(client) == 1


async def test_a_key_is_not_carried_from_one_order_to_another(client, shop):
    place, body, _ = ACTIVATE
    await client.post(place, json=body, headers=KEY)
    for elsewhere, order in (
        ("/v1/app-servers/shop:1/activate", body),
        (TERMINATE[0], {}),
        ("/v1/routers", ROUTER),
    ):
        wrong = await client.post(elsewhere, json=order, headers=KEY)
        check_problem(wrong, 422, "idempotency-key-reused")
    assert await counted(client) == 1


async def test_an_order_that_would_be_refused_by_now_is_still_answered(client, db, shop):
    """Who asks again after the answer was lost did not ask for it twice."""
    place, body, _ = TERMINATE
    first = await client.post(place, json=body, headers=KEY)
    await client.post(f"/v1/jobs/{first.json()['id']}/cancel")
    await deployments.execute(db, "UPDATE app_servers SET is_active = true")
    again = await client.post(place, json=body, headers=KEY)
    assert (again.status_code, again.content) == (202, first.content)
    check_problem(await client.post(place, json=body), 409, "app-server-active")


async def test_a_refusal_is_no_answer_to_keep(client, db, shop):
    place, body, _ = TERMINATE
    await deployments.execute(db, "UPDATE app_servers SET is_active = true")
    check_problem(await client.post(place, json=body, headers=KEY), 409, "app-server-active")
    await deployments.execute(db, "UPDATE app_servers SET is_active = false")
    assert (await client.post(place, json=body, headers=KEY)).status_code == 202


async def test_a_router_is_registered_once(client, shop):
    first = await client.post("/v1/routers", json=ROUTER, headers=KEY)
    again = await client.post("/v1/routers", json=ROUTER, headers=KEY)
    assert (first.status_code, again.content) == (201, first.content)
    wrong = await client.post("/v1/routers", json={**ROUTER, "kind": "caddy"}, headers=KEY)
    check_problem(wrong, 422, "idempotency-key-reused")
    names = [item["name"] for item in (await client.get("/v1/routers")).json()["items"]]
    assert names.count(ROUTER["name"]) == 1


async def test_a_repeated_request_makes_no_second_set_of_app_servers(client, db, shop):
    await factories.change(db, shop, target_count=2)
    order = {"kind": "provision", "instance": "shop", "activate": True}
    first = await client.post("/v1/jobs", json=order, headers=KEY)
    again = await client.post("/v1/jobs", json=order, headers=KEY)
    assert again.content == first.content
    assert await counted(client) == 2
