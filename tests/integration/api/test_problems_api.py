import json

import pytest
from httpx import ASGITransport, AsyncClient

from app.gateways.queue import JobQueue
from app.main import create_app
from app.store.database import Database
from tests.integration.api.conftest import HOST
from tests.support.problems import check_problem, pointers

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/nothing",
        "/v1/hosts/",
        "/v1/hosts/none",
        "/v1/hosts/a%00b",
        "/v1/hosts/%F0%9F%92%A5",
        "/v1/hosts/..%2f",
        "/v1/jobs/1",
        "/v1/jobs/0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
        "/v1/jobs/0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11/events",
        "/v1/jobs/0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11/plan",
        "/v1/recipes/none",
        "/v1/recipes/none/versions",
        "/v1/recipes/none/versions/0",
        "/v1/recipes/none/versions/99999999999999999999",
        "/v1/instances/none/secrets",
        "/v1/instances/none/app-servers",
    ],
)
async def test_what_is_not_there_is_a_404(client, path):
    check_problem(await client.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/hosts", "GET, HEAD, POST"),
        ("PUT", "/v1/hosts/x", "DELETE, GET, HEAD, PATCH"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/v1/jobs", "GET, HEAD, POST"),
        ("BREW", "/v1/jobs", "GET, HEAD, POST"),
        ("GET", "/v1/identity/rotate", "POST"),
    ],
)
async def test_another_method_is_a_405_that_names_the_right_ones(client, method, path, allowed):
    response = await client.request(method, path)
    check_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "json", ""])
async def test_another_content_type_is_a_415_that_names_the_right_one(client, kind):
    response = await client.post("/v1/hosts", content=b"{}", headers={"Content-Type": kind})
    assert "application/json" in check_problem(response, 415, "unsupported-media-type")["detail"]


async def test_a_content_type_may_carry_parameters(client):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = await client.post("/v1/hosts", content=json.dumps(HOST), headers=headers)
    assert response.status_code == 201


async def test_a_body_above_a_mebibyte_is_a_413(client):
    body = b'{"name": "' + b"x" * 1024 * 1024 + b'"}'
    check_problem(await client.post("/v1/hosts", content=body, headers=JSON), 413)


async def test_a_body_that_hides_its_length_is_cut_off(client):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    check_problem(await client.post("/v1/hosts", content=endless(), headers=JSON), 413)
    assert sent < 4 * 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"name": NaN}',
        b"1" * 5000,
        b"[" * 100_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
)
async def test_what_is_no_json_is_a_422(client, body):
    check_problem(await client.post("/v1/hosts", content=body, headers=JSON), 422)


@pytest.mark.parametrize("body", [[], "text", 1, None, True])
async def test_json_that_is_no_object_is_a_422(client, host, body):
    check_problem(await client.post("/v1/hosts", json=body), 422)
    headers = {"If-Match": "*"}
    check_problem(await client.patch("/v1/hosts/alpha", json=body, headers=headers), 422)


@pytest.mark.parametrize("text", ['"a\\u0000b"', '"\\ud800"'])
async def test_text_that_postgres_cannot_store_is_a_422_with_its_place(client, text):
    body = f'{{"name": "a", "labels": {{"x/y": {text}}}}}'
    response = await client.post("/v1/hosts", content=body, headers=JSON)
    assert pointers(response) == ["/labels/x~1y"]


async def test_every_mistake_of_a_body_is_told_at_once(client):
    body = {"name": "A B", "port": "22", "sudo": 1, "extra": 1}
    found = pointers(await client.post("/v1/hosts", json=body))
    assert sorted(found) == ["/address", "/extra", "/name", "/port", "/sudo", "/user"]


async def test_a_refusal_does_not_repeat_what_was_sent(client):
    secret = "hunter2-hunter2"
    body = {"name": "shop", "repository": f"https://me:{secret}@git.invalid/x.git", "recipe": "x"}
    response = await client.post("/v1/instances", json=body)
    assert "/repository" in pointers(response)
    assert secret not in response.text


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("after=garbage", "after"),
        ("after=%00", "after"),
        ("after=AAAAAAAAAAAAAAAAAAAAAAAAAAA", "after"),
        ("status=done", "status"),
        ("kind=nothing", "kind"),
        ("instance=a%00", "instance"),
    ],
)
async def test_a_wrong_query_is_a_422_that_names_the_parameter(client, query, parameter):
    problem = check_problem(await client.get(f"/v1/jobs?{query}"), 422)
    assert [error["parameter"] for error in problem["errors"]] == [parameter]


async def test_head_answers_like_get_without_a_body(client, host):
    get, head = await client.get("/v1/hosts/alpha"), await client.head("/v1/hosts/alpha")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_the_request_id_of_the_caller_is_kept(client):
    response = await client.get("/v1/jobs", headers={"X-Request-Id": "from-outside.1"})
    assert response.headers["x-request-id"] == "from-outside.1"


@pytest.mark.parametrize("given", ["a b", "x" * 129, "a\x1bb", ""])
async def test_a_request_id_that_could_harm_a_log_is_replaced(client, given):
    response = await client.get("/v1/jobs", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] != given


async def test_a_mistake_of_our_own_shows_nothing_of_the_inside(app, client, monkeypatch, capsys):
    async def broken(*_, **__):
        raise RuntimeError("the inside")

    monkeypatch.setattr("app.services.hosts.list_page", broken)
    response = await client.get("/v1/hosts")
    problem = check_problem(response, 500, "internal-error")
    assert "inside" not in response.text
    log = capsys.readouterr().out
    assert "the inside" in log
    assert problem["request_id"] in log


async def test_a_database_that_is_away_is_a_503_to_try_again(vault, wakeups, tmp_path):
    db = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    queue = JobQueue.connect(f"unix://{tmp_path}/none")
    transport = ASGITransport(create_app(db, queue, vault, wakeups))
    async with AsyncClient(transport=transport, base_url="http://liftlock.test") as client:
        response = await client.get("/v1/jobs", headers={"Authorization": "Bearer x"})
        check_problem(response, 503, "unavailable")
        assert response.headers["retry-after"] == "1"
        ready = check_problem(await client.get("/readyz"), 503, "unavailable")
        assert ready["parts"]["redis"] == "Redis does not answer, or takes no writes"
        assert ready["parts"]["database"].startswith("PostgreSQL does not answer")
        assert (await client.get("/healthz")).status_code == 200
    await db.close()
    await queue.close()


async def test_a_started_system_is_ready(anonymous):
    response = await anonymous.get("/readyz")
    assert response.json() == {"status": "ready", "parts": {"database": "ok", "redis": "ok"}}


async def test_a_database_that_was_never_migrated_is_not_ready(
    postgres_server, queue, vault, wakeups
):
    url = postgres_server.create("never_migrated_api")
    db = Database(url)
    transport = ASGITransport(create_app(db, queue, vault, wakeups))
    async with AsyncClient(transport=transport, base_url="http://liftlock.test") as client:
        problem = check_problem(await client.get("/readyz"), 503)
    assert "liftlock db upgrade" in problem["detail"]
    await db.close()
    postgres_server.drop("never_migrated_api")


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/hosts"), ("PATCH", "/v1/hosts/alpha")])
async def test_half_a_character_in_a_key_is_a_422_with_its_place(client, host, method, path):
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    body = b'{"\\ud800": 1, "labels": {"\\ud800": "a"}}'
    response = await client.request(method, path, content=body, headers=headers)
    assert pointers(response) == ["/\\ud800", "/labels/\\ud800"]
