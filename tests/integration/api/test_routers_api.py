import pytest

from tests.integration.api.conftest import HOST, INSTANCE, made
from tests.support import deployments
from tests.support.problems import check_problem, pointers

ROUTER = {"name": "edge", "kind": "nginx", "host": "alpha"}
ANY = {"If-Match": "*"}
BAD = [
    ("/name", {"name": "Edge 1"}),
    ("/kind", {"kind": "apache"}),
    ("/host", {"host": "nowhere"}),
    ("/options/admin", {"options": {"admin": "localhost:2019"}}),
    ("/options/http_port", {"options": {"http_port": "80"}}),
    ("/options/http_port", {"options": {"http_port": 0}}),
    ("/options/a~1b", {"options": {"a/b": 1}}),
    ("/weight", {"weight": 1}),
]


@pytest.fixture
async def router(client, host):
    return await made(client.post("/v1/routers", json=ROUTER))


@pytest.fixture
async def routed(client, router, recipe):
    """An instance with the router."""
    return await made(client.post("/v1/instances", json={**INSTANCE, "router": "edge"}))


async def change(client, body, ref="edge"):
    return await client.patch(f"/v1/routers/{ref}", json=body, headers=ANY)


async def test_a_router_is_registered_and_found_by_name_and_by_id(client, host):
    response = await client.post("/v1/routers", json=ROUTER)
    assert response.status_code == 201
    router = response.json()
    assert response.headers["location"] == f"/v1/routers/{router['id']}"
    for ref in ("edge", router["id"]):
        found = await client.get(f"/v1/routers/{ref}")
        assert found.json() == router
        assert found.headers["etag"] == response.headers["etag"] == 'W/"1"'


async def test_a_router_tells_its_options_and_what_it_can_do(router):
    assert router["options"]["http_port"] == 80
    assert (router["tls_modes"], router["holds"]) == (["files", "off"], False)


async def test_routers_are_listed_in_pages_oldest_first(client, host):
    for name in ("one", "two", "three"):
        await made(client.post("/v1/routers", json={**ROUTER, "name": name}))
    first = (await client.get("/v1/routers?limit=2")).json()
    rest = (await client.get(f"/v1/routers?after={first['next']}")).json()
    names = [item["name"] for item in first["items"] + rest["items"]]
    assert names == ["one", "two", "three"]


@pytest.mark.parametrize(("pointer", "wrong"), BAD)
async def test_a_wrong_field_is_refused_with_its_place(client, host, pointer, wrong):
    assert pointers(await client.post("/v1/routers", json={**ROUTER, **wrong})) == [pointer]
    assert (await client.get("/v1/routers")).json()["items"] == []


@pytest.mark.parametrize(("pointer", "wrong"), BAD)
async def test_a_wrong_patch_is_refused_and_changes_nothing(client, router, pointer, wrong):
    assert pointers(await change(client, wrong)) == [pointer]
    assert (await client.get("/v1/routers/edge")).json() == router


async def test_a_name_is_given_once(client, router):
    check_problem(await client.post("/v1/routers", json=ROUTER), 409, "already-exists")
    await made(client.post("/v1/routers", json={**ROUTER, "name": "other"}))
    check_problem(await change(client, {"name": "edge"}, "other"), 409, "already-exists")


async def test_null_gives_an_option_its_default_again(client, router):
    changed = await made(change(client, {"options": {"http_port": 8080}}))
    assert changed["options"]["http_port"] == 8080
    assert (await made(change(client, {"options": {"http_port": None}})))["options"] == router[
        "options"
    ]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_must_name_the_version_it_was_made_from(client, router, method):
    body = {"json": {"name": "other"}} if method == "PATCH" else {}
    check_problem(await client.request(method, "/v1/routers/edge", **body), 428)
    headers = {"If-Match": 'W/"9"'}
    check_problem(await client.request(method, "/v1/routers/edge", headers=headers, **body), 412)


async def test_a_router_that_nobody_has_can_go(client, router):
    assert (await client.delete("/v1/routers/edge", headers=ANY)).status_code == 204
    check_problem(await client.get("/v1/routers/edge"), 404)


async def test_a_router_that_an_instance_has_stays(client, routed):
    refused = await client.delete("/v1/routers/edge", headers=ANY)
    problem = check_problem(refused, 409, "in-use")
    assert "shop" in problem["detail"]
    assert "liftlock instances set shop --router ''" in problem["hint"]


async def test_a_router_that_an_instance_has_keeps_its_kind_and_its_host(client, routed):
    await made(client.post("/v1/hosts", json={**HOST, "name": "beta"}))
    haproxy = {"kind": "haproxy", "options": None}
    for body in (haproxy, {"host": "beta"}):
        check_problem(await change(client, body), 409, "in-use")
    # Nothing else is tied to them.
    assert (await made(change(client, {"name": "front"})))["name"] == "front"


async def test_other_options_are_to_be_told_for_each_instance(client, routed):
    before = routed["route"]["version"]
    await made(change(client, {"name": "front"}))
    assert (await client.get("/v1/instances/shop")).json()["route"]["version"] == before
    await made(change(client, {"options": {"http_port": 8080}}, "front"))
    assert (await client.get("/v1/instances/shop")).json()["route"]["version"] > before


async def test_a_host_with_a_router_stays(client, router):
    refused = check_problem(await client.delete("/v1/hosts/alpha", headers=ANY), 409, "in-use")
    assert "1 router(s) on it" in refused["detail"]


async def test_a_router_that_nobody_looked_at_says_so(router):
    told = {name: router[name] for name in ("looked_at", "look_error", "drifts", "behind")}
    assert told == {"looked_at": None, "look_error": None, "drifts": [], "behind": []}


async def test_a_router_is_told_at_once_what_it_is_behind_with(client, routed):
    assert (await client.get("/v1/routers/edge")).json()["behind"] == ["shop"]
    answer = await client.post("/v1/routers/edge/sync")
    assert answer.status_code == 202
    [job_id] = answer.json()["jobs"]
    job = (await client.get(f"/v1/jobs/{job_id}")).json()
    assert (job["kind"], job["instance"]["name"], job["actor"]) == ("route", "shop", "test-admin")


async def test_who_has_a_router_told_hears_whether_anybody_will_look_at_it(app, client, db, routed):
    async def said():
        return (await client.post("/v1/routers/edge/sync")).json()["no_look"]

    assert "never applied" in await said()
    await deployments.execute(db, "UPDATE jobs SET status = 'canceled'")
    await deployments.execute(db, "UPDATE instances SET route_version = 3, route_applied = 3")
    assert await said() is None
    app.state.looks = False
    assert "LIFTLOCK_ROUTER_LOOK_SECONDS" in await said()


async def test_a_router_that_there_is_not_is_told_nothing(client):
    check_problem(await client.post("/v1/routers/edge/sync"), 404)


async def test_a_router_with_routes_to_forget_goes_only_when_it_is_gone(client, db, routed):
    await deployments.execute(db, "UPDATE instances SET route_applied = route_version")
    await made(client.patch("/v1/instances/shop", json={"router": None}, headers=ANY))
    [job] = (await client.get("/v1/jobs?kind=route")).json()["items"]
    await made(client.post(f"/v1/jobs/{job['id']}/cancel", json={}))
    refused = check_problem(await client.delete("/v1/routers/edge", headers=ANY), 409, "in-use")
    assert "--gone" in refused["hint"]
    gone = await client.delete("/v1/routers/edge?gone=true", headers=ANY)
    assert gone.status_code == 204
