import pytest

from tests.integration.api.conftest import INSTANCE, RECIPE, made
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
    ("/settings/WORKERS", {"settings": {"WORKERS": "many"}}),
    ("/settings/UNKNOWN", {"settings": {"UNKNOWN": 1}}),
]


async def change(client, body):
    return await client.patch("/v1/instances/shop", json=body, headers={"If-Match": "*"})


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


async def test_the_app_servers_of_an_instance_are_listed_newest_first(client, instance):
    order = {"kind": "provision", "instance": "shop"}
    jobs = [await made(client.post("/v1/jobs", json=order)) for _ in range(2)]
    found = (await client.get("/v1/instances/shop/app-servers")).json()["items"]
    assert [item["number"] for item in found] == [2, 1]
    assert [item["job_id"] for item in found] == [jobs[1]["id"], jobs[0]["id"]]
    assert found[0]["settings"] == {"WORKERS": "2"}
    assert (found[0]["host"]["name"], found[0]["recipe"]) == ("alpha", "plain@1")
    assert found[0]["url"] == f"http://127.0.0.1:{found[0]['port']}/"
