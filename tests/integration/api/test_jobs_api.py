import asyncio
from uuid import UUID

import pytest

from app import store
from app.domain.scope import Scope
from tests.integration.api.conftest import HOST, INSTANCE, made
from tests.support import factories, worked
from tests.support.problems import check_problem, pointers

ORDER = {"kind": "provision", "instance": "shop"}


async def test_a_job_is_accepted_with_its_address(client, instance):
    headers = {"X-Request-Id": "from-outside"}
    response = await client.post("/v1/jobs", json=ORDER, headers=headers)
    job = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    assert response.headers["retry-after"] == "1"
    assert (job["status"], job["actor"], job["request_id"]) == (
        "queued",
        "test-admin",
        "from-outside",
    )
    assert (job["instance"]["name"], job["host"]["name"]) == ("shop", "alpha")
    assert (job["revision"], job["app_server"]["status"]) == ("main", "new")
    assert (await client.get(job["links"]["self"])).json() == job


async def test_a_job_may_name_another_revision_and_host(client, instance):
    await made(client.post("/v1/hosts", json={**HOST, "name": "beta"}))
    job = await made(client.post("/v1/jobs", json={**ORDER, "revision": "v2", "host": "beta"}))
    assert (job["revision"], job["host"]["name"]) == ("v2", "beta")


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/kind", {"kind": "destroy", "instance": "shop"}),
        ("/kind", {"instance": "shop"}),
        ("/instance", {"kind": "provision", "instance": "none"}),
        ("/instance", {"kind": "provision"}),
        ("/instance", {"kind": "provision", "instance": "../shop"}),
        ("/host", {**ORDER, "host": "nowhere"}),
        ("/host", {"kind": "enroll"}),
        ("/revision", {**ORDER, "revision": "--help"}),
        ("/revision", {**ORDER, "revision": "a\tb"}),
        ("/dry_run", {**ORDER, "dry_run": "perhaps"}),
        ("/dry_run", {**ORDER, "dry_run": "yes"}),
        ("/dry_run", {**ORDER, "dry_run": 1}),
        ("/revision", {**ORDER, "revision": "main^{commit}"}),
        ("/instance", {"kind": "enroll", "host": "alpha", "instance": "shop"}),
        ("/revision", {"kind": "enroll", "host": "alpha", "revision": "v1"}),
        ("/dry_run", {"kind": "enroll", "host": "alpha", "dry_run": True}),
        ("/force", {**ORDER, "force": True}),
    ],
)
async def test_a_wrong_order_is_refused_with_its_place(client, instance, pointer, body):
    assert pointers(await client.post("/v1/jobs", json=body)) == [pointer]
    assert (await client.get("/v1/jobs")).json()["items"] == []


async def test_a_host_that_is_not_enrolled_takes_no_job(client, instance):
    body, headers = {"host_key": None}, {"If-Match": "*"}
    await made(client.patch("/v1/hosts/alpha", json=body, headers=headers))
    check_problem(await client.post("/v1/jobs", json=ORDER), 409, "host-key-missing")


async def test_a_required_secret_that_is_missing_is_named(client, host):
    source = factories.MINIMAL_RECIPE + "secrets:\n  API_KEY:\n    required: true\n"
    await made(client.post("/v1/recipes", json={"source": source}))
    await made(client.post("/v1/instances", json=INSTANCE))
    problem = check_problem(await client.post("/v1/jobs", json=ORDER), 409, "secret-missing")
    assert "API_KEY" in problem["hint"]


async def test_jobs_are_listed_newest_first_and_filtered(client, instance):
    first = await made(client.post("/v1/jobs", json=ORDER))
    second = await made(client.post("/v1/hosts/alpha/enroll", json={}))
    cases = {
        "": [second, first],
        "kind=enroll": [second],
        "kind=provision&status=queued": [first],
        "status=failed": [],
        "instance=shop": [first],
    }
    for query, expected in cases.items():
        assert (await client.get(f"/v1/jobs?{query}")).json()["items"] == expected


async def test_a_plan_is_there_once_a_worker_has_made_it(client, db, instance):
    job = await made(client.post("/v1/jobs", json={**ORDER, "dry_run": True}))
    response = await client.get(job["links"]["plan"])
    check_problem(response, 404, "plan-not-ready")
    assert response.headers["retry-after"] == "1"
    await worked.begin(db, job["id"])
    assert (await client.get(job["links"]["plan"])).json()["items"] == worked.PLAN


async def test_a_running_job_tells_how_far_it_is(client, db, instance):
    job = await made(client.post("/v1/jobs", json=ORDER))
    await worked.begin(db, job["id"])
    shown = (await client.get(job["links"]["self"])).json()
    assert shown["progress"] == {"step": 1, "of": 2, "name": "Look"}
    steps = (await client.get(job["links"]["steps"])).json()["items"]
    assert [(step["number"], step["status"]) for step in steps] == [(1, "running")]


async def test_only_an_administrator_may_have_a_host_key_read(client, connect, host):
    deployer = await connect(Scope.DEPLOY)
    order = {"kind": "enroll", "host": "alpha"}
    problem = check_problem(await deployer.post("/v1/jobs", json=order), 403, "forbidden")
    assert "admin" in problem["detail"]
    assert (await client.get("/v1/jobs")).json()["items"] == []
    assert (await client.post("/v1/jobs", json=order)).status_code == 202


async def test_a_job_is_given_once_it_has_ended(client, db, instance):
    job = await made(client.post("/v1/jobs", json=ORDER))
    headers = {"Prefer": "wait=0"}
    answer = await client.get(job["links"]["self"], headers=headers)
    assert (answer.json()["status"], answer.headers["preference-applied"]) == ("queued", "wait=0")
    asking = asyncio.create_task(client.get(job["links"]["self"], headers={"Prefer": "wait=99"}))
    await worked.end(db, job["id"])
    answer = await asking
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=30"


async def test_a_job_tells_who_wants_it_to_stop_and_what_it_waits_for(client, db, instance):
    job = await made(client.post("/v1/jobs", json=ORDER))
    assert (job["cancel"], job["suspended"], job["retry_of"]) == (None, None, None)
    asked = {"at": "2026-11-21T05:00:00Z", "by": "ci", "reason": "wrong host", "force": False}
    waits = {"kind": "time", "step": "drain", "since": asked["at"], "until": None, "reason": "busy"}
    await set_job(db, job, ending={"why": "canceled", **asked}, suspended={**waits, "inner": 1})
    shown = (await client.get(job["links"]["self"])).json()
    at = asked.pop("at")
    assert shown["cancel"] == {"requested_at": at, **asked}
    assert shown["suspended"] == {**waits, "answer": None}
    await set_job(db, job, ending={"why": "worker-lost", "at": at})
    assert (await client.get(job["links"]["self"])).json()["cancel"] is None


async def set_job(db, job, **values):
    async with db.transaction() as session:
        row = await store.jobs.get(session, UUID(job["id"]))
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
