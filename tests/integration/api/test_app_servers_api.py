from datetime import UTC, datetime
from uuid import UUID

import pytest

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.scope import Scope
from tests.integration.api.conftest import made
from tests.support import worked
from tests.support.problems import check_problem, pointers

ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
VERBS = ("activate", "deactivate", "terminate")
PROVISION = {"kind": "provision", "instance": "shop"}


async def stand(db, number, **values):
    """How a worker left the app server of that number."""
    async with db.transaction() as session:
        row = await store.app_servers.get(session, f"shop:{number}")
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


@pytest.fixture
async def running(client, db, instance):
    """Three that run; the first is in service."""
    for number in (1, 2, 3):
        job = await made(client.post("/v1/jobs", json=PROVISION))
        await worked.end(db, job["id"])
        await stand(db, number, status=AppServerStatus.RUNNING)
    await stand(db, 1, is_active=True, activated_at=datetime(2026, 11, 21, tzinfo=UTC))


async def ask(client, number, verb, body=None, **headers):
    options = {} if body is None else {"json": body}
    address = f"/v1/app-servers/shop:{number}/{verb}"
    return await client.post(address, headers=headers, **options)


async def of(client, number):
    return await made(client.get(f"/v1/app-servers/shop:{number}"))


async def test_one_is_found_by_its_id_and_by_its_number(client, running):
    found = await of(client, 1)
    assert (await client.get(f"/v1/app-servers/{found['id']}")).json() == found
    listed = (await client.get("/v1/instances/shop/app-servers")).json()["items"]
    assert listed[-1] == found


async def test_it_tells_what_it_belongs_to_and_how_it_serves(client, running):
    found = await of(client, 1)
    assert (found["instance"]["name"], found["number"]) == ("shop", 1)
    assert found["deployment"] == found["job_id"]
    assert (found["is_active"], found["activated_at"]) == (True, "2026-11-21T00:00:00Z")
    assert (found["deactivated_at"], found["cleaned_at"]) == (None, None)
    assert (found["address"], found["url"]) == ("127.0.0.1", f"http://127.0.0.1:{found['port']}/")


@pytest.mark.parametrize("ref", ["shop:9", "other:1", ID])
async def test_what_is_not_there_is_404_for_every_call(client, running, ref):
    check_problem(await client.get(f"/v1/app-servers/{ref}"), 404, "not-found")
    for verb in VERBS:
        refused = await client.post(f"/v1/app-servers/{ref}/{verb}", json={})
        check_problem(refused, 404, "not-found")


@pytest.mark.parametrize("verb", VERBS)
async def test_nobody_gets_a_job_without_a_token_of_scope_deploy(
    client, connect, anonymous, running, verb
):
    reader = await connect(Scope.READ)
    check_problem(await ask(anonymous, 2, verb, {}), 401, "unauthorized")
    check_problem(await ask(reader, 2, verb, {}), 403, "forbidden")
    assert len((await client.get("/v1/jobs")).json()["items"]) == 3


async def test_everybody_with_a_token_may_read(connect, anonymous, running):
    assert (await of(await connect(Scope.READ), 2))["number"] == 2
    check_problem(await anonymous.get("/v1/app-servers/shop:2"), 401, "unauthorized")


async def test_an_activation_is_a_job(client, running):
    response = await ask(client, 2, "activate", {"drain": 5, "watch": 0})
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["instance"]["name"]) == ("activate", "shop")
    assert [item["name"] for item in job["app_servers"]] == ["AppServer 2"]
    assert (job["params"]["drain"], job["params"]["watch"]) == (5, 0)


async def test_others_go_along_when_they_are_named(client, running):
    body = {"app_servers": ["shop:3"]}
    job = await made(ask(client, 2, "activate", body))
    assert [item["name"] for item in job["app_servers"]] == ["AppServer 2", "AppServer 3"]


@pytest.mark.parametrize("other", ["shop:9", "shop:2"])
async def test_another_that_cannot_go_along_is_refused_with_its_place(client, running, other):
    body = {"app_servers": ["shop:3", other]}
    assert pointers(await ask(client, 2, "activate", body)) == ["/app_servers/1"]


@pytest.mark.parametrize("status", ["new", "configuring", "failed", "error", "terminated"])
async def test_only_one_that_runs_can_be_activated(client, db, running, status):
    await stand(db, 2, status=AppServerStatus(status))
    problem = check_problem(await ask(client, 2, "activate"), 409, "app-server-unhealthy")
    assert "liftlock" in problem["hint"]


async def test_fewer_than_the_instance_wants_are_refused_unless_that_will_do(client, running):
    headers = {"If-Match": "*"}
    await made(client.patch("/v1/instances/shop", json={"target_count": 2}, headers=headers))
    check_problem(await ask(client, 2, "activate"), 409, "incomplete-set")
    assert (await ask(client, 2, "activate", {"partial": True})).status_code == 202


async def test_the_active_one_cannot_be_terminated(client, running):
    check_problem(await ask(client, 1, "terminate"), 409, "app-server-active")


async def test_one_that_is_not_in_service_is_terminated(client, running):
    job = await made(ask(client, 2, "terminate"))
    assert (job["kind"], job["app_servers"][0]["name"]) == ("terminate", "AppServer 2")


async def test_one_that_is_gone_for_good_is_recorded_so_by_a_job(client, running):
    job = await made(ask(client, 2, "terminate", {"gone": True, "reason": "it burned down"}))
    assert (job["params"]["gone"], job["params"]["reason"]) == (True, "it burned down")


async def test_one_in_service_that_is_gone_for_good_is_taken_out(client, running):
    job = await made(ask(client, 1, "deactivate", {"gone": True, "reason": "it burned down"}))
    assert (job["params"]["gone"], job["params"]["reason"]) == (True, "it burned down")


async def test_the_same_is_stated_by_a_job_as_by_any_other_way(client, running):
    order = {"kind": "terminate", "app_server": "shop:2", "gone": True, "reason": "it burned down"}
    job = await made(client.post("/v1/jobs", json=order))
    assert job["params"]["reason"] == "it burned down"


async def test_that_the_data_may_go_is_said_to_the_job_that_terminates(client, running):
    job = await made(ask(client, 2, "terminate", {"with_data": True}))
    assert job["params"]["with_data"] is True
    order = {"kind": "deactivate", "app_server": "shop:1", "with_data": True}
    assert pointers(await client.post("/v1/jobs", json=order)) == ["/with_data"]


async def test_one_that_is_in_service_is_not_gone(client, running):
    body = {"gone": True, "reason": "it burned down"}
    check_problem(await ask(client, 1, "terminate", body), 409, "app-server-active")


async def test_what_a_job_is_about_is_not_gone(client, running):
    job = await made(ask(client, 2, "terminate"))
    refused = await ask(client, 2, "terminate", {"gone": True, "reason": "it burned down"})
    assert job["id"] in check_problem(refused, 409, "conflict")["detail"]


async def test_a_statement_that_is_sent_again_makes_one_job(client, running):
    key, body = {"Idempotency-Key": "once"}, {"gone": True, "reason": "it burned down"}
    first, again = [await ask(client, 2, "terminate", body, **key) for _ in range(2)]
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_one_in_service_is_taken_out(client, running):
    job = await made(ask(client, 1, "deactivate", {"drain": 1}))
    assert (job["kind"], job["app_servers"][0]["name"]) == ("deactivate", "AppServer 1")


@pytest.mark.parametrize(
    ("verb", "pointer", "body"),
    [
        ("activate", "/drain", {"drain": -1}),
        ("activate", "/watch", {"watch": 3601}),
        ("activate", "/partial", {"partial": "yes"}),
        ("activate", "/app_servers/0", {"app_servers": ["a b"]}),
        ("activate", "/force", {"force": True}),
        ("deactivate", "/watch", {"watch": 1}),
        ("deactivate", "/reason", {"gone": True}),
        ("terminate", "/drain", {"drain": 1}),
        ("terminate", "/reason", {"gone": True}),
        ("terminate", "/reason", {"gone": True, "reason": ""}),
        ("terminate", "/reason", {"gone": True, "reason": " "}),
        ("terminate", "/reason", {"reason": "it burned down"}),
        ("terminate", "/gone", {"gone": "yes", "reason": "it burned down"}),
    ],
)
async def test_a_wrong_field_is_refused_with_its_place(client, running, verb, pointer, body):
    assert pointers(await ask(client, 1, verb, body)) == [pointer]


async def test_a_key_that_is_sent_again_makes_one_job(client, running):
    key = {"Idempotency-Key": "once"}
    first, again = [await ask(client, 2, "activate", {}, **key) for _ in range(2)]
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_whoever_waits_gets_the_job_when_the_time_is_over(client, running):
    response = await ask(client, 2, "activate", {}, Prefer="wait=1")
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "wait=1"


async def test_an_app_server_keeps_the_settings_it_was_made_with(client, running):
    before = await of(client, 1)
    change = {"settings": {"WORKERS": 9}, "revision": "v9", "domain": "shop.example"}
    await made(client.patch("/v1/instances/shop", json=change, headers={"If-Match": "*"}))
    assert await of(client, 1) == before


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_an_app_server_cannot_be_written(client, running, method):
    response = await client.request(method, "/v1/app-servers/shop:1", json={"revision": "v9"})
    check_problem(response, 405, "method-not-allowed")


async def test_the_instance_tells_what_serves_and_what_is_newest(client, running):
    for shown in (
        (await client.get("/v1/instances/shop")).json(),
        (await client.get("/v1/instances")).json()["items"][0],
    ):
        active, newest = shown["active_app_servers"], shown["newest_app_server"]
        keys = {"id", "number", "status", "is_active"}
        assert [one.keys() for one in (*active, newest)] == [keys, keys]
        assert [(one["number"], one["is_active"]) for one in active] == [(1, True)]
        assert (newest["number"], newest["status"], newest["is_active"]) == (3, "running", False)


async def test_an_instance_without_app_servers_has_null_for_the_newest(client, instance):
    for shown in (instance, (await client.get("/v1/instances")).json()["items"][0]):
        assert (shown["active_app_servers"], shown["newest_app_server"]) == ([], None)
        assert shown["state"] == "preparing"


async def test_the_jobs_of_app_servers_can_be_asked_for_as_all_others(client, running):
    order = {"kind": "activate", "app_servers": ["shop:2"]}
    job = await made(client.post("/v1/jobs", json=order))
    assert UUID(job["app_servers"][0]["id"]) == UUID((await of(client, 2))["id"])
