"""/v1/jobs/{id}/cancel, retry and answer; and how a new job may be asked for."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.domain.job import JobStatus
from app.domain.scope import Scope
from tests.integration.api.conftest import made
from tests.support.problems import check_problem, pointers
from tests.support.worked import begin, claim, suspend

ORDER = {"kind": "provision", "instance": "shop"}
NOBODY = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
COMMANDS = {"cancel": {}, "retry": {}, "answer": {"answer": "done"}}


def at(**later):
    return (datetime.now(UTC) + timedelta(**later)).isoformat()


@pytest.fixture
async def job(client, instance):
    return await made(client.post("/v1/jobs", json=ORDER))


async def end(db, job_id, status):
    """Done by a worker, for better or worse."""
    await services.ending.settle(db, await claim(db, job_id), status=JobStatus(status))


async def tell(client, job, command, body=None):
    return await client.post(f"/v1/jobs/{job['id']}/{command}", json=body)


async def test_a_waiting_job_is_canceled(client, job):
    response = await tell(client, job, "cancel", {"reason": "the wrong one"})
    assert response.status_code == 202
    assert response.headers["location"] == job["links"]["self"]
    assert "retry-after" not in response.headers
    shown = response.json()
    assert (shown["status"], shown["outcome"]) == ("canceled", "unchanged")
    assert (await client.get(job["links"]["self"])).json() == shown


async def test_a_running_job_shows_that_it_was_told_to_stop(client, db, job):
    await begin(db, job["id"])
    response = await client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (response.status_code, response.headers["retry-after"]) == (202, "1")
    shown = response.json()
    assert shown["status"] == "canceling"
    told = shown["cancel"]
    assert (told["by"], told["reason"], told["force"]) == ("test-admin", None, False)


async def test_force_comes_with_the_seconds_to_wait(client, db, job):
    await begin(db, job["id"])
    await tell(client, job, "cancel")
    response = await tell(client, job, "cancel", {"force": True})
    check_problem(response, 409, "too-early")
    assert 1 <= int(response.headers["retry-after"]) <= 30


async def test_an_ended_job_is_not_canceled(client, db, job):
    await end(db, job["id"], "failed")
    problem = check_problem(await tell(client, job, "cancel"), 409, "job-ended")
    assert problem["hint"].endswith(job["id"])


async def test_a_failed_job_is_repeated(client, db, job):
    await end(db, job["id"], "failed")
    response = await tell(client, job, "retry")
    again = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == again["links"]["self"] != job["links"]["self"]
    assert (again["retry_of"], again["revision"]) == (job["id"], "main")


async def test_a_job_that_waits_is_not_repeated(client, job):
    check_problem(await tell(client, job, "retry"), 409, "conflict")


async def test_only_an_administrator_repeats_the_reading_of_a_host_key(client, connect, host):
    job = await made(client.post("/v1/hosts/alpha/enroll", json={}))
    await tell(client, job, "cancel")
    deployer = await connect(Scope.DEPLOY)
    check_problem(await tell(deployer, job, "retry"), 403, "forbidden")
    assert (await tell(client, job, "retry")).status_code == 202


async def test_a_question_is_answered(client, db, job):
    await suspend(db, job["id"], kind="question", step="build")
    response = await tell(client, job, "answer", {"answer": "done"})
    assert response.status_code == 202
    assert response.json()["suspended"]["answer"] == "done"
    check_problem(await tell(client, job, "answer", {"answer": "failed"}), 409, "not-waiting")


async def test_a_job_that_asks_nothing_takes_no_answer(client, job):
    check_problem(await tell(client, job, "answer", {"answer": "done"}), 409, "not-waiting")


@pytest.mark.parametrize(
    ("command", "pointer", "body"),
    [
        ("cancel", "/reason", {"reason": ""}),
        ("cancel", "/reason", {"reason": "x" * 501}),
        ("cancel", "/force", {"force": "yes"}),
        ("cancel", "/now", {"now": True}),
        ("retry", "/revision", {"revision": "v2"}),
        ("answer", "/answer", {}),
        ("answer", "/answer", {"answer": "perhaps"}),
    ],
)
async def test_a_wrong_command_is_refused_with_its_place(client, job, command, pointer, body):
    assert pointers(await tell(client, job, command, body)) == [pointer]
    assert (await client.get(job["links"]["self"])).json() == job


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_job_that_is_not_there_is_a_404(client, command):
    response = await tell(client, {"id": NOBODY}, command, COMMANDS[command])
    check_problem(response, 404, "not-found")


@pytest.mark.parametrize("command", COMMANDS)
async def test_who_may_only_read_commands_nothing(connect, job, command):
    reader = await connect(Scope.READ)
    check_problem(await tell(reader, job, command, COMMANDS[command]), 403, "forbidden")


async def test_a_job_says_when_it_may_begin_and_must_end(client, instance):
    order = {**ORDER, "priority": -5, "not_before": at(hours=1), "deadline": at(hours=2)}
    job = await made(client.post("/v1/jobs", json=order))
    assert job["priority"] == -5
    for name in ("not_before", "deadline"):
        assert datetime.fromisoformat(job[name]) == datetime.fromisoformat(order[name])


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/priority", {"priority": 101}),
        ("/priority", {"priority": -101}),
        ("/priority", {"priority": "1"}),
        ("/not_before", {"not_before": 1_900_000_000}),
        ("/not_before", {"not_before": "1900000000"}),
        ("/not_before", {"not_before": "2026-11-21T22:00:00"}),
        ("/not_before", {"not_before": "tonight"}),
        ("/not_before", {"not_before": "9999-12-31T23:59:59-01:00"}),
        ("/deadline", {"deadline": "2026-13-21T22:00:00Z"}),
        ("/deadline", {"deadline": "0001-01-01T00:00:00+05:00"}),
        ("/deadline", {"deadline": "2020-01-01T00:00:00Z"}),
        ("/on_conflict", {"on_conflict": "fight"}),
    ],
)
async def test_a_wrong_wish_is_refused_with_its_place(client, instance, pointer, body):
    assert pointers(await client.post("/v1/jobs", json={**ORDER, **body})) == [pointer]
    assert (await client.get("/v1/jobs")).json()["items"] == []


async def test_the_job_that_waits_already_is_answered_with_200(client, job):
    response = await client.post("/v1/jobs", json={**ORDER, "on_conflict": "return"})
    assert (response.status_code, response.json()) == (200, job)
    assert response.headers["location"] == job["links"]["self"]


async def test_a_rejected_request_names_the_job_in_the_way(client, job):
    response = await client.post("/v1/jobs", json={**ORDER, "on_conflict": "reject"})
    problem = check_problem(response, 409, "already-waiting")
    assert problem["job"] == {"id": job["id"], "self": job["links"]["self"]}


async def test_whoever_waits_gets_the_ended_job(client, db, instance):
    async def work():
        while not (found := (await client.get("/v1/jobs")).json()["items"]):
            await asyncio.sleep(0.01)
        await end(db, found[0]["id"], "succeeded")

    headers = {"Prefer": "respond-async, wait=20"}
    response, _ = await asyncio.gather(client.post("/v1/jobs", json=ORDER, headers=headers), work())
    assert (response.status_code, response.json()["status"]) == (200, "succeeded")
    assert response.headers["preference-applied"] == "wait=20"
    assert "retry-after" not in response.headers


async def test_whoever_waited_in_vain_gets_a_202(client, instance):
    response = await client.post("/v1/jobs", json=ORDER, headers={"Prefer": "wait=1"})
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.headers["preference-applied"] == "wait=1"
    assert response.headers["retry-after"] == "1"


async def test_nobody_waits_inside_a_transaction(client, db, instance):
    """With a key too: the job is committed before the waiting, or no worker could take it."""

    async def work():
        while not (found := (await client.get("/v1/jobs")).json()["items"]):
            await asyncio.sleep(0.01)
        await end(db, found[0]["id"], "failed")

    headers = {"Prefer": "wait=20", "Idempotency-Key": "k"}
    response, _ = await asyncio.gather(client.post("/v1/jobs", json=ORDER, headers=headers), work())
    assert (response.status_code, response.json()["status"]) == (200, "failed")
    again = await client.post("/v1/jobs", json=ORDER, headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, response.json()["id"])
