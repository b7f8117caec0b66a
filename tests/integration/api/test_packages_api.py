"""/v1/packages: wheels for extensions that are on no index."""

import hashlib

import pytest

from app.api import route
from app.api.packages import router
from app.domain import wheel as wheels
from app.domain.scope import Scope
from tests.integration.api.conftest import made
from tests.integration.api.test_pages_api import walk
from tests.support.problems import check_problem
from tests.support.wheels import filename, wheel

CONTENT = wheel()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
BINARY = {"Content-Type": "application/octet-stream"}


async def upload(client, content=CONTENT, name=None, **headers):
    query = {"filename": filename() if name is None else name}
    headers = {**BINARY, **headers}
    return await client.post("/v1/packages", params=query, content=content, headers=headers)


async def test_a_wheel_is_uploaded_and_shown_without_its_content(client):
    response = await upload(client)
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/packages/{SHA256}"
    shown = response.json()
    assert shown.pop("created_at")
    assert shown == {
        "sha256": SHA256,
        "filename": filename(),
        "name": "guestbook-stars",
        "version": "1.2.0",
        "size": len(CONTENT),
        "actor": "test-admin",
    }
    assert await made(client.get(response.headers["location"])) == response.json()


async def test_the_same_bytes_again_are_there_already(client):
    first = await upload(client)
    again = await upload(client, name=filename().replace("py3", "py2.py3"))
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["location"] == first.headers["location"]


async def test_an_upload_that_is_sent_again_gets_its_first_answer(client):
    first = await upload(client, **{"Idempotency-Key": "once"})
    again = await upload(client, **{"Idempotency-Key": "once"})
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = await upload(client, wheel("other"), filename("other"), **{"Idempotency-Key": "once"})
    check_problem(other, 422, "idempotency-key-reused")


async def test_they_are_listed_by_name(client):
    for name in ("stars", "ads", "tags"):
        await made(upload(client, wheel(name), filename(name)))
    pages = await walk(client, "/v1/packages", 2)
    found = [[item["name"] for item in page["items"]] for page in pages]
    assert found == [["ads", "stars"], ["tags"]]


@pytest.mark.parametrize("name", ["stars.zip", "../x-1-py3-none-any.whl", ""])
async def test_what_is_no_name_of_a_wheel_is_refused(client, name):
    problem = check_problem(await upload(client, name=name), 422, "invalid-request")
    assert [error["parameter"] for error in problem["errors"]] == ["filename"]


@pytest.mark.parametrize("content", [b"", b"no archive", wheel("other")])
async def test_what_is_no_wheel_of_that_name_is_refused(client, content):
    problem = check_problem(await upload(client, content), 422, "invalid-wheel")
    assert "this is no wheel" in problem["detail"]
    assert (await made(client.get("/v1/packages")))["items"] == []


async def test_a_wheel_goes_as_it_is_not_as_json(client):
    response = await upload(client, b"{}", **{"Content-Type": "application/json"})
    check_problem(response, 415, "unsupported-media-type")


async def test_a_wheel_may_be_larger_than_other_bodies_and_not_without_end(client, monkeypatch):
    big = wheel(data=b"\x00" * 2**21, packed=0)
    assert (await upload(client, big)).status_code == 201
    for headers in ({}, {"Content-Length": str(wheels.MOST_BYTES + 1)}):
        content = big if headers else _endless()
        problem = check_problem(await upload(client, content, **headers), 413, "request-too-large")
        assert problem["detail"] == f"A body has at most {50 * 2**20} bytes."


async def _endless():
    for _ in range(51):
        yield bytes(2**20)


def test_the_documented_limit_is_the_one_that_holds():
    [found] = [one for one in router.routes if one.methods == {"POST"}]
    assert isinstance(found, route.Route)
    assert found.most_bytes == wheels.MOST_BYTES == 50 * 1024 * 1024


async def test_a_package_is_removed(client):
    at = (await upload(client)).headers["location"]
    assert (await client.delete(at)).status_code == 204
    check_problem(await client.get(at), 404, "not-found")
    check_problem(await client.delete(at), 404, "not-found")


async def test_what_is_no_digest_names_no_package(client):
    for name in ("x", SHA256.upper(), SHA256[1:]):
        check_problem(await client.get(f"/v1/packages/{name}"), 404, "not-found")


async def test_reading_is_not_enough_to_upload_or_to_remove(connect, client):
    reader, deployer = await connect(Scope.READ), await connect(Scope.DEPLOY)
    check_problem(await upload(reader), 403, "forbidden")
    assert (await upload(deployer)).status_code == 201
    assert (await reader.get(f"/v1/packages/{SHA256}")).status_code == 200
    check_problem(await reader.delete(f"/v1/packages/{SHA256}"), 403, "forbidden")
    assert (await deployer.delete(f"/v1/packages/{SHA256}")).status_code == 204


async def test_strangers_see_nothing(anonymous):
    check_problem(await anonymous.get("/v1/packages"), 401, "unauthorized")
    check_problem(await upload(anonymous), 401, "unauthorized")
