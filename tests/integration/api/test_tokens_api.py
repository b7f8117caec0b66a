import re

from sqlmodel import select

from app.models import Token
from tests.support.problems import check_problem, pointers


async def test_a_token_is_shown_once_and_then_only_its_beginning(client):
    made = await client.post("/v1/tokens", json={"name": "ci", "scope": "deploy"})
    assert made.status_code == 201
    text = made.json()["token"]
    assert re.fullmatch(r"llk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", text)
    assert text.startswith(made.json()["prefix"] + "_")
    listed = await client.get("/v1/tokens")
    assert text not in listed.text
    assert made.json()["prefix"] in listed.text


async def test_the_database_holds_no_token_that_could_be_used(client, db):
    made = await client.post("/v1/tokens", json={"name": "ci"})
    async with db.transaction() as session:
        rows = (await session.exec(select(Token))).all()
    assert made.json()["token"] not in "".join(row.model_dump_json() for row in rows)


async def test_the_use_of_a_token_is_noted(client):
    await client.get("/v1/jobs")
    assert (await client.get("/v1/tokens")).json()["items"][0]["last_used_at"] is not None


async def test_a_token_may_have_an_end(client):
    made = await client.post("/v1/tokens", json={"name": "ci", "expires_in_days": 1})
    assert made.json()["expires_at"] > made.json()["created_at"]


async def test_a_revoked_token_stays_in_the_list(client):
    made = (await client.post("/v1/tokens", json={"name": "ci"})).json()
    assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
    assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
    listed = (await client.get("/v1/tokens")).json()["items"]
    assert [item["revoked_at"] is None for item in listed] == [True, False]


async def test_what_is_no_token_order_is_refused_with_its_place(client):
    bad = {
        "/name": {"name": ""},
        "/scope": {"name": "ci", "scope": "root"},
        "/expires_in_days": {"name": "ci", "expires_in_days": 0},
        "/extra": {"name": "ci", "extra": 1},
    }
    for pointer, body in bad.items():
        assert pointers(await client.post("/v1/tokens", json=body)) == [pointer]
    assert pointers(await client.post("/v1/tokens", json={"name": "a\tb"})) == ["/name"]


async def test_an_unknown_token_cannot_be_revoked(client):
    check_problem(await client.delete("/v1/tokens/0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"), 404)
