"""A POST that is sent again is answered, not repeated."""

import asyncio
import re
from datetime import timedelta

import pytest
from sqlmodel import select

from app import services, store
from app.api.route import Route
from app.domain.scope import Scope
from app.gateways.queue import JobQueue
from app.main import create_app
from app.models import Answered
from tests.integration.api.conftest import HOST, RECIPE
from tests.support.problems import check_problem

ORDER = {"kind": "provision", "instance": "shop"}
KEY = {"Idempotency-Key": "deploy-of-build-1742"}
NEW_APP = create_app(None, None, None, None)
POSTS = [route for route in NEW_APP.routes if isinstance(route, Route) and "POST" in route.methods]


async def jobs(client):
    return (await client.get("/v1/jobs?limit=200")).json()["items"]


async def kept(db):
    async with db.transaction() as session:
        return list((await session.exec(select(Answered))).all())


def test_every_post_documents_the_header():
    document = NEW_APP.openapi()
    assert len(POSTS) > 8
    for route in POSTS:
        operation = document["paths"][route.path]["post"]
        [header] = [item for item in operation["parameters"] if item["name"] == "idempotency-key"]
        assert header["in"] == "header"
        assert header["description"]
        assert header["schema"].get("examples") or header.get("examples") or "example" in header
        assert "409" in operation["responses"]


async def test_the_same_again_is_answered_the_same_and_done_once(client, instance):
    first = await client.post("/v1/jobs", json=ORDER, headers=KEY)
    again = await client.post("/v1/jobs", json=ORDER, headers=KEY)
    assert first.status_code == again.status_code == 202
    assert again.content == first.content
    for name in ("location", "retry-after", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await jobs(client)) == 1


async def test_the_layout_of_the_body_is_not_the_request(client, instance):
    await client.post("/v1/jobs", json=ORDER, headers=KEY)
    text = '{ "instance" : "shop",\n "kind":"provision" }'
    headers = {**KEY, "Content-Type": "application/json; charset=utf-8"}
    again = await client.post("/v1/jobs", content=text, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"


async def test_the_key_of_another_request_is_refused(client, instance):
    await client.post("/v1/jobs", json=ORDER, headers=KEY)
    others = (
        ("/v1/jobs", {**ORDER, "revision": "v2"}),
        ("/v1/jobs?x=1", ORDER),
        ("/v1/hosts/alpha/enroll", {}),
    )
    for address, body in others:
        response = await client.post(address, json=body, headers=KEY)
        problem = check_problem(response, 422, "idempotency-key-reused")
        assert KEY["Idempotency-Key"] in problem["detail"]
    assert len(await jobs(client)) == 1


async def test_a_key_belongs_to_one_token(client, connect, instance):
    other = await connect(Scope.DEPLOY)
    first = await client.post("/v1/jobs", json=ORDER, headers=KEY)
    second = await other.post("/v1/jobs", json=ORDER, headers=KEY)
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "k\u00e9y".encode(), "tab\t"])
async def test_what_is_no_key_is_refused(client, instance, key):
    response = await client.post("/v1/jobs", json=ORDER, headers=[(b"Idempotency-Key", key)])
    problem = check_problem(response, 422, "invalid-request")
    assert [error["parameter"] for error in problem["errors"]] == ["idempotency-key"]
    assert await jobs(client) == []


async def test_two_keys_are_refused(client, instance):
    await client.post("/v1/jobs", json=ORDER, headers=KEY)
    both = [*KEY.items(), ("Idempotency-Key", "another")]
    problem = check_problem(
        await client.post("/v1/jobs", json=ORDER, headers=both), 422, "invalid-request"
    )
    assert [error["parameter"] for error in problem["errors"]] == ["idempotency-key"]


@pytest.mark.parametrize("route", POSTS, ids=lambda route: route.path)
async def test_every_post_looks_at_its_key(client, route):
    address = re.sub(r"\{\w+\}", "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11", route.path)
    response = await client.post(address, headers={"Idempotency-Key": "two words"})
    problem = check_problem(response, 422, "invalid-request")
    assert "idempotency-key" in [error.get("parameter") for error in problem["errors"]]


async def test_an_error_is_not_kept_so_that_it_can_be_mended(client, recipe):
    check_problem(await client.post("/v1/jobs", json=ORDER, headers=KEY), 422)
    await client.post("/v1/hosts", json=HOST)
    body = {
        "name": "shop",
        "recipe": "plain",
        "repository": "https://git.invalid/shop.git",
        "revision": "main",
        "host": "alpha",
    }
    assert (await client.post("/v1/instances", json=body)).is_success
    assert (await client.post("/v1/jobs", json=ORDER, headers=KEY)).status_code == 202


async def test_while_the_first_is_answered_the_second_is_told_to_come_back(client, db, instance):
    token = (await client.get("/v1/tokens")).json()["items"][0]["id"]
    async with db.unit() as session:
        assert await store.idempotency.try_lock(session, token, KEY["Idempotency-Key"])
        response = await client.post("/v1/jobs", json=ORDER, headers=KEY)
    check_problem(response, 409, "idempotency-in-progress")
    assert response.headers["retry-after"] == "1"
    assert (await client.post("/v1/jobs", json=ORDER, headers=KEY)).status_code == 202


async def test_two_hundred_at_once_make_one_job(client, instance):
    async def send():
        return await client.post("/v1/jobs", json=ORDER, headers=KEY)

    answers = await asyncio.gather(*(send() for _ in range(200)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    others = {answer.json()["code"] for answer in answers if answer.status_code != 202}
    assert others <= {"idempotency-in-progress"}
    [job] = await jobs(client)
    assert {answer.json()["id"] for answer in accepted} == {job["id"]}


async def test_pairs_at_once_make_one_job_each(client, instance):
    for number in range(20):
        headers = {"Idempotency-Key": f"pair-{number}"}
        await asyncio.gather(
            *(client.post("/v1/jobs", json=ORDER, headers=headers) for _ in range(2))
        )
    assert len(await jobs(client)) == 20


async def test_an_answer_that_was_lost_with_its_process_is_given_again(client, instance, app):
    """The job is committed and the API dies before it answers."""

    class Died(BaseException):
        pass

    async def die(*_, **__):
        raise Died

    whole, app.state.queue.push = app.state.queue.push, die
    with pytest.raises(Died):
        await client.post("/v1/jobs", json=ORDER, headers=KEY)
    app.state.queue.push = whole
    [job] = await jobs(client)
    again = await client.post("/v1/jobs", json=ORDER, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (202, job["id"])
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await jobs(client)) == 1


async def test_a_failed_commit_keeps_neither_job_nor_answer(client, db, instance, monkeypatch):
    async def fail(*_):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(store.idempotency, "add", fail)
        check_problem(await client.post("/v1/jobs", json=ORDER, headers=KEY), 500)
    assert await jobs(client) == []
    assert await kept(db) == []


@pytest.mark.parametrize("headers", [{}, KEY])
async def test_a_worker_is_woken_only_for_what_is_committed(client, db, instance, app, headers):
    seen = []
    real = app.state.queue.push

    async def push(job_id, attempt, *, again=False):
        # Another connection sees the job: it is committed.
        seen.append((await services.jobs.get(db, job_id)).job.id)
        return await real(job_id, attempt, again=again)

    app.state.queue.push = push
    job = (await client.post("/v1/jobs", json=ORDER, headers=headers)).json()
    assert [str(item) for item in seen] == [job["id"]]
    async with db.transaction() as session:
        assert (await store.jobs.get(session, seen[0])).dispatched_at is not None


@pytest.mark.parametrize("headers", [{}, KEY])
async def test_a_job_is_accepted_while_redis_is_away(client, instance, app, tmp_path, headers):
    app.state.queue = nowhere = JobQueue.connect(f"unix://{tmp_path}/none")
    assert (await client.post("/v1/jobs", json=ORDER, headers=headers)).status_code == 202
    assert len(await jobs(client)) == 1
    await nowhere.close()


async def test_a_recipe_in_yaml_is_pushed_once(client):
    headers = {**KEY, "Content-Type": "application/yaml"}
    first = await client.post("/v1/recipes", content=RECIPE, headers=headers)
    again = await client.post("/v1/recipes", content=RECIPE, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"]
    other = await client.post("/v1/recipes", content=RECIPE + "# new\n", headers=headers)
    check_problem(other, 422, "idempotency-key-reused")


async def test_a_post_without_a_body_is_done_once(client):
    first = await client.post("/v1/identity/rotate", headers=KEY)
    again = await client.post("/v1/identity/rotate", headers=KEY)
    assert first.json() == again.json()
    assert (await client.post("/v1/identity/rotate")).json() != first.json()


async def test_an_etag_is_repeated_with_its_answer(client):
    first = await client.post("/v1/hosts", json=HOST, headers=KEY)
    again = await client.post("/v1/hosts", json=HOST, headers=KEY)
    assert (again.status_code, again.headers["etag"]) == (201, first.headers["etag"])
    check_problem(await client.post("/v1/hosts", json=HOST), 409, "already-exists")


async def test_a_new_token_is_shown_again_and_not_kept_in_clear(client, db):
    body = {"name": "ci", "scope": "deploy"}
    first = await client.post("/v1/tokens", json=body, headers=KEY)
    again = await client.post("/v1/tokens", json=body, headers=KEY)
    assert first.status_code == again.status_code == 201
    assert again.json()["token"] == first.json()["token"]
    [row] = await kept(db)
    secret = first.json()["token"].encode()
    assert secret not in row.body
    assert secret not in repr(row).encode()


async def test_who_has_no_token_hears_nothing_of_kept_answers(client, anonymous):
    await client.post("/v1/tokens", json={"name": "ci"}, headers=KEY)
    check_problem(await anonymous.post("/v1/tokens", json={"name": "ci"}, headers=KEY), 401)


async def test_a_revoked_token_gets_no_kept_answer(client, connect):
    body = {"name": "ci"}
    other = await connect(Scope.ADMIN)
    await other.post("/v1/tokens", json=body, headers=KEY)
    mine = (await client.get("/v1/tokens")).json()["items"][1]["id"]
    await client.delete(f"/v1/tokens/{mine}")
    check_problem(await other.post("/v1/tokens", json=body, headers=KEY), 401)


async def test_old_answers_are_removed_in_portions(client, db):
    for number in range(3):
        headers = {"Idempotency-Key": f"key-{number}"}
        await client.post("/v1/tokens", json={"name": "ci"}, headers=headers)
    async with db.transaction() as session:
        day = timedelta(days=1)
        assert await store.idempotency.remove_older(session, age=day, limit=10) == 0
        assert await store.idempotency.remove_older(session, age=-day, limit=2) == 2
    assert len(await kept(db)) == 1
