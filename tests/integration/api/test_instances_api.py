import pytest

from app import store
from app.domain.app_server import AppServerStatus
from tests.integration.api.conftest import INSTANCE, RECIPE, made
from tests.support import worked
from tests.support.problems import check_problem, pointers

BAD = [
    ("/name", {"name": "Shop"}),
    ("/recipe", {"recipe": "none"}),
    ("/recipe", {"recipe": "plain@2"}),
    ("/recipe", {"recipe": "plain@"}),
    ("/recipe", {"recipe": "../plain"}),
    ("/host", {"host": "nowhere"}),
    ("/domain", {"domain": "not a domain"}),
    ("/revision", {"revision": ""}),
    ("/revision", {"revision": "-x"}),
    ("/revision", {"revision": "a b"}),
    ("/revision", {"revision": "a\nb"}),
    ("/revision", {"revision": "x" * 201}),
    ("/repository", {"repository": "--upload-pack=x"}),
    ("/repository", {"repository": "ext::sh -c x"}),
    ("/repository", {"repository": "https://token@git.invalid/x.git"}),
    ("/repository", {"repository": "ssh://git:pw@git.invalid/x.git"}),
    ("/repository", {"repository": "ssh://-oProxyCommand=x/y"}),
    ("/repository", {"repository": "git@-x:y"}),
    ("/repository", {"repository": "pypi:../x"}),
    ("/repository", {"repository": "relative/path"}),
    ("/pool", {"host": "alpha", "pool": "web"}),
    ("/labels/a", {"labels": {"a": 1}}),
    ("/target_count", {"target_count": 0}),
    ("/target_count", {"target_count": 51}),
    ("/retention_days", {"retention_days": -1}),
    ("/retention_days", {"retention_days": 3651}),
    ("/router", {"router": "nowhere"}),
    ("/tls/mode", {"tls": {"mode": "maybe"}}),
    ("/tls/key", {"tls": {"mode": "files", "certificate": "/a.pem"}}),
    ("/tls/certificate", {"tls": {"mode": "files", "certificate": "a.pem", "key": "/a.key"}}),
    ("/tls/certificate", {"tls": {"certificate": "/a.pem"}}),
    ("/domain", {"tls": {"mode": "auto"}}),
    ("/settings/WORKERS", {"settings": {"WORKERS": "many"}}),
    ("/settings/UNKNOWN", {"settings": {"UNKNOWN": 1}}),
]


async def change(client, body):
    return await client.patch("/v1/instances/shop", json=body, headers={"If-Match": "*"})


@pytest.fixture
async def routers(client, host):
    for name, kind in (("edge", "nginx"), ("other", "caddy")):
        await made(client.post("/v1/routers", json={"name": name, "kind": kind, "host": "alpha"}))


async def left(db, **values):
    """What workers wrote into the instance."""
    async with db.transaction() as session:
        row = await store.instances.get(session, "shop")
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


async def jobs_of_kind(client, kind):
    return (await client.get(f"/v1/jobs?kind={kind}")).json()["items"]


async def test_an_instance_is_described_and_found(client, host, recipe):
    response = await client.post("/v1/instances", json={**INSTANCE, "settings": {"WORKERS": 4}})
    assert response.status_code == 201
    found = await client.get("/v1/instances/shop")
    assert found.json() == response.json()
    assert found.headers["etag"] == response.headers["etag"] == 'W/"1"'
    assert response.headers["location"] == f"/v1/instances/{found.json()['id']}"
    assert {**found.json(), **INSTANCE, "recipe": "plain@1"} == found.json()


@pytest.mark.parametrize(("pointer", "wrong"), BAD)
async def test_a_wrong_field_is_refused_with_its_place(client, host, recipe, pointer, wrong):
    response = await client.post("/v1/instances", json={**INSTANCE, **wrong})
    assert pointers(response) == [pointer]
    assert (await client.get("/v1/instances")).json()["items"] == []


@pytest.mark.parametrize(("pointer", "wrong"), BAD)
async def test_a_wrong_patch_is_refused_and_changes_nothing(client, instance, pointer, wrong):
    assert pointers(await change(client, wrong)) == [pointer]
    assert (await client.get("/v1/instances/shop")).json() == instance


async def test_a_name_is_given_once(client, instance):
    check_problem(await client.post("/v1/instances", json=INSTANCE), 409, "already-exists")


async def test_an_instance_keeps_its_name(client, instance):
    assert pointers(await change(client, {"name": "other"})) == ["/name"]


async def test_settings_are_merged_and_null_takes_one_away(client, instance):
    await made(change(client, {"settings": {"WORKERS": 4, "MOTTO": "up"}}))
    changed = await made(change(client, {"settings": {"WORKERS": None}, "revision": "v2"}))
    assert (changed["settings"], changed["revision"]) == ({"MOTTO": "up"}, "v2")
    assert changed["version"] == 3


async def test_an_instance_may_have_no_host_of_its_own(client, instance):
    assert (await made(change(client, {"host": None})))["host"] is None


async def test_a_recipe_without_a_version_pins_the_newest_of_the_moment(client, instance):
    newer = RECIPE.replace("default: 2", "default: 3")
    await made(client.post("/v1/recipes", json={"source": newer}))
    assert (await made(change(client, {"revision": "v2"})))["recipe"] == "plain@1"
    assert (await made(change(client, {"recipe": "plain"})))["recipe"] == "plain@2"
    assert (await made(change(client, {"recipe": "plain@1"})))["recipe"] == "plain@1"


async def test_settings_must_fit_the_recipe_that_is_changed_to(client, instance):
    await made(change(client, {"settings": {"MOTTO": "up"}}))
    other = RECIPE.replace("  MOTTO:\n    type: string\n", "")
    await made(client.post("/v1/recipes", json={"source": other}))
    assert pointers(await change(client, {"recipe": "plain"})) == ["/settings/MOTTO"]
    changed = await made(change(client, {"recipe": "plain", "settings": {"MOTTO": None}}))
    assert changed["recipe"] == "plain@2"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_must_name_the_version_it_was_made_from(client, instance, method):
    body = {"json": {"revision": "v9"}} if method == "PATCH" else {}
    check_problem(await client.request(method, "/v1/instances/shop", **body), 428)
    headers = {"If-Match": 'W/"9"'}
    check_problem(await client.request(method, "/v1/instances/shop", headers=headers, **body), 412)
    assert (await client.get("/v1/instances/shop")).json() == instance


async def test_an_instance_with_an_unfinished_job_stays(client, instance):
    await made(client.post("/v1/jobs", json={"kind": "provision", "instance": "shop"}))
    headers = {"If-Match": "*"}
    problem = check_problem(await client.delete("/v1/instances/shop", headers=headers), 409)
    assert "1 unfinished job(s)" in problem["detail"]


async def test_a_deleted_instance_is_gone_with_its_secrets(client, instance):
    await client.put("/v1/instances/shop/secrets/API_KEY", json={"value": "long enough"})
    headers = {"If-Match": 'W/"1"'}
    assert (await client.delete("/v1/instances/shop", headers=headers)).status_code == 204
    check_problem(await client.get("/v1/instances/shop"), 404)


async def test_what_is_not_said_has_the_documented_default(instance):
    expected = {
        "router": None,
        "tls": {"mode": "off", "certificate": None, "key": None},
        "pool": None,
        "labels": {},
        "target_count": 1,
        "retention_days": 2,
        "route": {
            "version": 0,
            "applied": 0,
            "behind_since": None,
            "failures": 0,
            "next_try_at": None,
            "drift": None,
        },
        "state": "preparing",
    }
    assert instance | expected == instance


async def test_a_pool_takes_the_place_of_a_host(client, instance):
    body = {"host": None, "pool": "web", "labels": {"disk": "ssd"}}
    changed = await made(change(client, body))
    assert changed | body == changed


async def test_retention_that_is_taken_away_means_never(client, instance):
    assert (await made(change(client, {"retention_days": None})))["retention_days"] is None
    assert (await made(change(client, {"revision": "v2"})))["retention_days"] is None
    assert (await made(change(client, {"retention_days": 0})))["retention_days"] == 0


async def test_what_is_wanted_of_the_router_is_counted(client, instance, routers):
    await made(change(client, {"domain": "a.example"}))
    files = {"tls": {"mode": "files", "certificate": "/a.pem", "key": "/a.key"}}
    wishes = ({"router": "edge"}, {"domain": "b.example"}, files, files, {"revision": "v2"})
    counted = [(await made(change(client, body)))["route"]["version"] for body in wishes]
    # The last two want nothing new.
    assert 0 < counted[0] < counted[1] < counted[2] == counted[3] == counted[4]


async def test_without_a_router_nothing_is_counted(client, instance):
    assert (await made(change(client, {"domain": "a.example"})))["route"]["version"] == 0


async def test_what_the_router_cannot_do_is_refused_with_its_place(client, instance, routers):
    body = {"router": "edge", "domain": "a.example", "tls": {"mode": "auto"}}
    problem = check_problem(await change(client, body), 422, "router-incapable")
    assert [error["pointer"] for error in problem["errors"]] == ["/tls/mode"]
    assert (await made(change(client, {**body, "router": "other"})))["tls"]["mode"] == "auto"


@pytest.mark.parametrize("domain", ["a.example", None])
async def test_a_domain_is_given_once_at_a_router(client, instance, routers, domain):
    await made(change(client, {"router": "edge", "domain": domain}))
    second = {**INSTANCE, "name": "second", "router": "edge", "domain": domain}
    problem = check_problem(await client.post("/v1/instances", json=second), 409, "already-exists")
    assert "shop" in problem["detail"]
    await made(client.post("/v1/instances", json={**second, "router": "other"}))


@pytest.mark.parametrize("router", ["other", None])
async def test_the_router_stays_while_app_servers_are_in_service(
    client, db, instance, routers, router
):
    await made(change(client, {"router": "edge"}))
    job = await made(client.post("/v1/jobs", json={"kind": "provision", "instance": "shop"}))
    await worked.end(db, job["id"])
    async with db.transaction() as session:
        row = await store.app_servers.get(session, "shop:1")
        row.status, row.is_active = AppServerStatus.RUNNING, True
        session.add(row)
    problem = check_problem(await change(client, {"router": router}), 409, "in-use")
    assert "liftlock app-servers deactivate shop:1" in problem["hint"]
    assert (await made(change(client, {"domain": "a.example"})))["router"] == "edge"


async def test_the_router_stays_while_a_job_is_about_to_tell_it_something(
    client, instance, routers
):
    await made(change(client, {"router": "edge"}))
    await made(client.post("/v1/jobs", json={"kind": "route", "instance": "shop"}))
    problem = check_problem(await change(client, {"router": None}), 409, "in-use")
    assert "unfinished job(s)" in problem["detail"]


@pytest.mark.parametrize("router", ["other", None])
async def test_a_router_that_knows_the_instance_gets_a_job_to_forget_it(
    client, db, instance, routers, router
):
    await made(change(client, {"router": "edge"}))
    await left(db, route_applied=1)
    assert (await made(change(client, {"router": router})))["route"]["applied"] == 0
    (job,) = await jobs_of_kind(client, "route")
    edge = (await client.get("/v1/routers/edge")).json()
    assert job["params"] == {"instance": "shop", "router": edge["id"], "forget": True}
    assert job["actor"] == "test-admin"
    check_problem(await client.delete("/v1/routers/edge", headers={"If-Match": "*"}), 409, "in-use")
    assert edge["forgetting"] == ["shop"]


async def test_a_router_that_never_knew_the_instance_has_nothing_to_forget(
    client, instance, routers
):
    await made(change(client, {"router": "edge"}))
    await made(change(client, {"router": None}))
    assert await jobs_of_kind(client, "route") == []


async def test_an_instance_with_a_router_stays(client, instance, routers):
    await made(change(client, {"router": "edge"}))
    refused = await client.delete("/v1/instances/shop", headers={"If-Match": "*"})
    assert "1 router" in check_problem(refused, 409, "in-use")["detail"]


async def test_the_app_servers_of_an_instance_are_listed_newest_first(client, instance):
    order = {"kind": "provision", "instance": "shop"}
    jobs = [await made(client.post("/v1/jobs", json=order)) for _ in range(2)]
    found = (await client.get("/v1/instances/shop/app-servers")).json()["items"]
    assert [item["number"] for item in found] == [2, 1]
    assert [item["job_id"] for item in found] == [jobs[1]["id"], jobs[0]["id"]]
    assert found[0]["settings"] == {"WORKERS": "2"}
    assert (found[0]["host"]["name"], found[0]["recipe"]) == ("alpha", "plain@1")
    assert found[0]["url"] == f"http://127.0.0.1:{found[0]['port']}/"
