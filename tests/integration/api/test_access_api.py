import re
from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.api.route import Route
from app.domain.scope import Scope
from app.main import create_app
from app.models import Token
from tests.support.problems import check_problem

PUBLIC = {"/healthz", "/readyz"}
ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"


def routes():
    app = create_app(None, None, None, None)
    return [route for route in app.routes if isinstance(route, Route)]


def address(route):
    path = re.sub(r"\{(job|token)_id\}", ID, route.path)
    return re.sub(r"\{\w+\}", "1", path.replace("{name}", "x"))


GUARDED = [
    pytest.param(method, route, id=f"{method} {route.path}")
    for route in routes()
    if route.path not in PUBLIC
    for method in route.methods
]


def test_only_the_health_checks_are_public():
    assert {route.path for route in routes() if route.guard is None} == PUBLIC


async def test_every_route_needs_a_token(anonymous):
    for method, route in (case.values for case in GUARDED):
        response = await anonymous.request(method, address(route))
        check_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_every_route_refuses_a_smaller_scope(connect):
    readers = {Scope.DEPLOY: await connect(Scope.READ), Scope.ADMIN: await connect(Scope.DEPLOY)}
    for method, route in (case.values for case in GUARDED):
        if route.guard.scope in readers:
            response = await readers[route.guard.scope].request(method, address(route))
            check_problem(response, 403, "forbidden")


async def test_every_reading_route_is_open_to_readers(connect):
    reader = await connect(Scope.READ)
    for method, route in (case.values for case in GUARDED):
        if route.guard.scope is Scope.READ:
            response = await reader.request(method, address(route))
            assert response.status_code in {200, 404}


def test_what_changes_something_is_never_open_to_readers():
    for method, route in (case.values for case in GUARDED):
        assert method == "GET" or route.guard.scope is not Scope.READ


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic abc", "Bearer llk_wrong", "Bearer \u00fc", "Bearer a b"],
)
async def test_what_is_no_token_is_refused(anonymous, header):
    headers = {"Authorization": header.encode("latin-1")}
    check_problem(await anonymous.get("/v1/jobs", headers=headers), 401)


async def test_a_revoked_token_is_refused_at_once(client, db):
    mine = (await client.get("/v1/tokens")).json()["items"][0]
    assert (await client.delete(f"/v1/tokens/{mine['id']}")).status_code == 204
    check_problem(await client.get("/v1/tokens"), 401)


async def test_an_expired_token_is_refused(anonymous, db):
    token, text = await services.tokens.create(db, name="old", scope=Scope.ADMIN, expires_in_days=1)
    async with db.transaction() as session:
        row = await session.get(Token, token.id)
        row.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    headers = {"Authorization": f"Bearer {text}"}
    check_problem(await anonymous.get("/v1/jobs", headers=headers), 401)


async def test_who_has_no_token_learns_nothing_from_the_body(anonymous):
    for content in (b"{", b"x" * 2_000_000):
        check_problem(await anonymous.post("/v1/jobs", content=content), 401)


async def test_the_scheme_of_the_header_may_be_written_in_any_case(client):
    value = client.headers["Authorization"].replace("Bearer", "bearer")
    assert (await client.get("/v1/jobs", headers={"Authorization": value})).status_code == 200
