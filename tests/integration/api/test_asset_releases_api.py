"""/v1/instances/{ref}/asset-releases: a set of static files for each app server."""

import json

import pytest

from app import services
from app.domain.scope import Scope
from tests.integration.api.conftest import INSTANCE, made
from tests.integration.api.test_pages_api import walk
from tests.support.asset_reports import MISSING, failed, published
from tests.support.problems import check_problem
from tests.support.worked import claim
from worker.assets.building.hashing import Hashing
from worker.assets.building.intake import Taken
from worker.assets.building.resolving import broken
from worker.assets.building.scanning import scan
from worker.assets.publishing.published import own_key

ORDER = {"kind": "provision", "instance": "shop"}
RELEASES = "/v1/instances/shop/asset-releases"


@pytest.fixture
async def publish(client, db, instance):
    """Make an app server whose worker reported this."""

    async def make(report):
        job = await claim(db, (await made(client.post("/v1/jobs", json=ORDER)))["id"])
        await services.asset_releases.record(db, job, report)
        return job

    return make


async def names(client, query=""):
    return [item["release"] for item in (await made(client.get(RELEASES + query)))["items"]]


async def test_a_site_without_static_files_has_no_release(client, instance):
    assert await made(client.get(RELEASES)) == {"items": [], "next": None}


async def test_a_release_tells_how_much_is_new_and_what_is_wrong(client, publish):
    job = await publish(published())
    shown = await made(client.get(f"{RELEASES}/c0ffee-1"))
    counts = [shown[name] for name in ("files", "new_files", "reused_files", "copies")]
    assert counts == [12, 3, 9, 20]
    assert (shown["status"], shown["verified_at"]) == ("published", None)
    assert (shown["job_id"], shown["instance_id"]) == (str(job.id), str(job.instance_id))
    assert (shown["warnings"], shown["errors"]) == ([MISSING], [])


async def test_a_release_is_found_by_its_id_too(client, publish):
    await publish(published())
    shown = await made(client.get(f"{RELEASES}/c0ffee-1"))
    assert await made(client.get(f"{RELEASES}/{shown['id']}")) == shown


async def test_the_list_counts_problems_and_leaves_them_to_the_release(client, publish):
    await publish(published())
    [item] = (await made(client.get(RELEASES)))["items"]
    shown = await made(client.get(f"{RELEASES}/c0ffee-1"))
    assert item["warnings_total"] == 1
    assert item == {name: shown[name] for name in shown if name not in {"warnings", "errors"}}


async def test_the_newest_release_is_first_on_pages_of_any_size(client, publish):
    for number in (1, 2, 3):
        await publish(published(release=f"c0ffee-{number}"))
    pages = await walk(client, RELEASES, 2)
    found = [[item["release"] for item in page["items"]] for page in pages]
    assert found == [["c0ffee-3", "c0ffee-2"], ["c0ffee-1"]]


async def test_releases_of_one_status_are_listed_alone(client, db, publish):
    job = await publish(published())
    await services.asset_releases.mark_verified(db, job, "c0ffee-1")
    await publish(published(release="c0ffee-2"))
    await publish(failed(release="c0ffee-3"))
    assert await names(client, "?status=verified") == ["c0ffee-1"]
    assert await names(client, "?status=published") == ["c0ffee-2"]
    assert await names(client, "?status=failed") == ["c0ffee-3"]


async def test_a_status_that_there_is_not_is_refused(client, instance):
    check_problem(await client.get(f"{RELEASES}?status=done"), 422, "invalid-request")


async def test_a_failed_release_has_errors_and_no_address(client, publish):
    await publish(failed())
    shown = await made(client.get(f"{RELEASES}/c0ffee-1"))
    assert (shown["errors"], shown["errors_total"]) == ([MISSING], 1)
    assert (shown["manifest_url"], shown["hash"]) == (None, None)


async def test_an_unknown_release_names_the_nearest(client, publish):
    await publish(published())
    problem = check_problem(await client.get(f"{RELEASES}/c0ffe-1"), 404, "not-found")
    assert problem["detail"] == "Instance shop has no asset release 'c0ffe-1'."
    assert problem["hint"] == "Did you mean c0ffee-1? List them: liftlock assets list shop"


async def test_the_release_of_another_site_is_not_shown(client, publish):
    await publish(published())
    await made(client.post("/v1/instances", json={**INSTANCE, "name": "other"}))
    other = RELEASES.replace("shop", "other")
    assert (await made(client.get(other)))["items"] == []
    check_problem(await client.get(f"{other}/c0ffee-1"), 404, "not-found")


@pytest.mark.parametrize("address", ["", "/c0ffee-1"])
async def test_a_site_that_there_is_not_has_no_releases(client, address):
    check_problem(await client.get(f"/v1/instances/none/asset-releases{address}"), 404)


async def test_a_reader_may_look(connect, publish):
    await publish(published())
    reader = await connect(Scope.READ)
    assert await names(reader) == ["c0ffee-1"]


async def test_an_app_server_names_its_release(client, publish):
    await publish(published())
    await made(client.post("/v1/jobs", json=ORDER))
    found = (await made(client.get("/v1/instances/shop/app-servers")))["items"]
    assert [item["asset_release"] for item in found] == [None, "c0ffee-1"]


async def test_the_example_of_the_documentation_is_what_a_worker_writes(client):
    schemas = (await made(client.get("/openapi.json")))["components"]["schemas"]
    [example] = schemas["AssetRelease"]["examples"]
    assert example["manifest_url"] == example["base_url"] + own_key(example["release"])
    text = "\n" * 40 + "//# sourceMappingURL=app.js.map"
    found = scan("js/app.js", text.encode(), modules=True, base_url="/static/")
    taken = Taken("js/app.js", Hashing().digest(), found)
    [missing] = broken([taken], {"js/apps.js.map": ""})
    assert example["warnings"] == [json.loads(json.dumps(missing.as_json()))]
