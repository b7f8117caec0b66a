"""POST /v1/jobs for what is done with app servers that exist, and for several at once."""

import pytest

from app import services, store
from app.domain.job import JobKind
from app.domain.scope import Scope
from tests.integration.api.conftest import made
from tests.support import factories
from tests.support.problems import check_problem, pointers

PROVISION = {"kind": "provision", "instance": "shop"}
ACTIVATE = {"kind": "activate", "app_servers": ["shop:1"]}
DEACTIVATE = {"kind": "deactivate", "app_server": "shop:1"}
TERMINATE = {"kind": "terminate", "app_server": "shop:1"}
ROUTE = {"kind": "route", "instance": "shop"}
ENROLL = {"kind": "enroll", "host": "alpha"}


@pytest.fixture
async def rows(db, instance):
    """The instance and its host as they are stored."""
    async with db.transaction() as session:
        found = await store.instances.get(session, "shop")
        return found, await store.hosts.get(session, "alpha")


@pytest.fixture
async def app_server(db, rows):
    return await factories.add_app_server(db, *rows)


@pytest.fixture
async def routed(db, rows):
    instance, host = rows
    router = await factories.add_router(db, host)
    await factories.change(db, instance, router_id=router.id)


async def ask(client, body):
    return await client.post("/v1/jobs", json=body)


async def test_an_app_server_is_put_into_service(client, app_server):
    response = await ask(client, {**ACTIVATE, "drain": 5, "watch": 0})
    job = response.json()
    assert response.status_code == 202
    assert (job["kind"], job["instance"]["name"], job["host"]["name"]) == (
        "activate",
        "shop",
        "alpha",
    )
    assert job["app_servers"] == [{"id": str(app_server.id), "name": "AppServer 1"}]
    assert (job["app_server"], job["tries"], job["others"], job["next"]) == (None, None, [], None)
    assert (await client.get(job["links"]["self"])).json() == job


async def test_an_app_server_is_terminated(client, app_server):
    job = await made(ask(client, TERMINATE))
    assert [one["name"] for one in job["app_servers"]] == ["AppServer 1"]


async def test_an_app_server_is_taken_out_of_service(client, db, app_server):
    check_problem(await ask(client, DEACTIVATE), 409, "conflict")
    await factories.change(db, app_server, is_active=True)
    assert (await made(ask(client, DEACTIVATE)))["params"]["drain"] == 30
    check_problem(await ask(client, TERMINATE), 409, "app-server-active")


async def test_the_router_is_told_anew(client, routed):
    job = await made(ask(client, ROUTE))
    assert (job["kind"], job["app_servers"]) == ("route", [])


async def test_an_app_server_that_does_not_run_is_a_conflict(client, db, app_server):
    await factories.change(db, app_server, status="failed")
    problem = check_problem(await ask(client, ACTIVATE), 409, "app-server-unhealthy")
    assert "AppServer 1 of instance shop is failed" in problem["detail"]


async def test_fewer_than_wanted_are_a_conflict(client, db, rows, app_server):
    await factories.change(db, rows[0], target_count=2)
    check_problem(await ask(client, ACTIVATE), 409, "incomplete-set")
    assert (await ask(client, {**ACTIVATE, "partial": True})).status_code == 202


async def test_a_pool_without_a_place_is_a_conflict(client, db, rows):
    await factories.change(db, rows[0], host_id=None, pool="web")
    check_problem(await ask(client, PROVISION), 409, "no-place")


async def test_several_app_servers_are_asked_for_at_once(client, db, rows):
    await factories.change(db, rows[0], target_count=2)
    job = await made(ask(client, {**PROVISION, "activate": True, "attempts": 3}))
    [other] = job["others"]
    second = (await client.get(f"/v1/jobs/{other}")).json()
    assert job["deployment"] == second["deployment"] == job["id"]
    assert (second["others"], second["tries"]) == ([job["id"]], {"number": 1, "of": 3})
    names = [one["app_servers"][0]["name"] for one in (job, second)]
    assert names == ["AppServer 1", "AppServer 2"]


async def test_the_job_that_follows_is_shown(client, db, instance):
    job = await made(ask(client, PROVISION))
    async with db.transaction() as session:
        row = await store.jobs.get(session, job["id"])
        row.params = {**row.params, "next": job["id"]}
        session.add(row)
    assert (await client.get(job["links"]["self"])).json()["next"] == job["id"]


async def test_a_single_one_is_its_own_deployment(client, instance):
    job = await made(ask(client, PROVISION))
    assert (job["deployment"], job["others"]) == (job["id"], [])
    assert job["tries"] == {"number": 1, "of": 1}
    assert job["app_servers"] == [{name: job["app_server"][name] for name in ("id", "name")}]


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/app_servers", {"kind": "activate"}),
        ("/app_servers/0", {"kind": "activate", "app_servers": ["shop:2"]}),
        ("/app_servers/0", {"kind": "activate", "app_servers": ["shop 1"]}),
        ("/app_servers/1", {"kind": "activate", "app_servers": ["shop:1", "shop:1"]}),
        ("/app_servers", {"kind": "activate", "app_servers": "shop:1"}),
        ("/app_server", {"kind": "terminate"}),
        ("/app_server", {"kind": "deactivate", "app_server": "shop:0"}),
        ("/instance", {"kind": "route"}),
        ("/instance", ROUTE),
        ("/instance", {**ACTIVATE, "instance": "shop"}),
        ("/host", {**TERMINATE, "host": "alpha"}),
        ("/revision", {**ROUTE, "revision": "v2"}),
        ("/app_servers", {**PROVISION, "app_servers": ["shop:1"]}),
        ("/app_server", {**ACTIVATE, "app_server": "shop:1"}),
        ("/activate", {**ROUTE, "activate": True}),
        ("/activate", {**PROVISION, "activate": 1}),
        ("/attempts", {**TERMINATE, "attempts": 2}),
        ("/attempts", {**PROVISION, "attempts": 0}),
        ("/attempts", {**PROVISION, "attempts": 11}),
        ("/partial", {**TERMINATE, "partial": True}),
        ("/drain", {**PROVISION, "drain": 0}),
        ("/drain", {**ACTIVATE, "drain": -1}),
        ("/drain", {**ACTIVATE, "drain": "30"}),
        ("/watch", {**ACTIVATE, "watch": 3601}),
        ("/watch", {**DEACTIVATE, "watch": 5}),
        ("/activate", {**ENROLL, "activate": True}),
    ],
)
async def test_a_wrong_order_is_refused_with_its_place(client, app_server, pointer, body):
    assert pointers(await ask(client, body)) == [pointer]
    assert (await client.get("/v1/jobs?status=queued")).json()["items"] == []


@pytest.mark.parametrize("body", [ACTIVATE, TERMINATE])
async def test_reading_is_not_enough_for_it(connect, app_server, body):
    reader = await connect(Scope.READ)
    check_problem(await ask(reader, body), 403, "forbidden")
    deployer = await connect(Scope.DEPLOY)
    assert (await ask(deployer, body)).status_code == 202


async def test_each_kind_can_be_repeated(client, app_server, routed):
    for body in (ACTIVATE, TERMINATE, ROUTE, {**PROVISION, "activate": True}):
        job = await made(ask(client, body))
        await made(client.post(f"{job['links']['self']}/cancel"))
        again = await made(client.post(f"{job['links']['self']}/retry"))
        assert (again["kind"], again["retry_of"]) == (job["kind"], job["id"])


async def test_the_list_shows_what_each_job_is_about(client, db, app_server):
    jobs = [await made(ask(client, body)) for body in (ACTIVATE, TERMINATE)]
    listed = (await client.get("/v1/jobs?status=queued")).json()["items"]
    assert listed == jobs[::-1]
    found = await services.jobs.list_page(db, after=None, limit=5, kind=JobKind.ACTIVATE)
    assert [str(view.job.id) for view in found] == [jobs[0]["id"]]
