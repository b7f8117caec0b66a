"""/v1/locks: who holds what, placing one by hand, and breaking one by its token only."""

import pytest

from app.domain.scope import Scope
from tests.integration.api.conftest import HOST, INSTANCE, made
from tests.integration.api.test_pages_api import walk
from tests.support.problems import check_problem, pointers
from tests.support.worked import held, hold, tell

ORDER = {"kind": "provision", "instance": "shop"}
WHY = "its host burnt"
SHOP = "/v1/locks/instance:shop"
NO_DEPLOYS = {"on": "all", "message": "No deploys today."}


@pytest.fixture
async def job(client, db, instance):
    """Has the lock of shop, is in its first step, and its host has said something."""
    job = await made(client.post("/v1/jobs", json=ORDER))
    await hold(db, job["id"])
    await tell(db, job["id"], "Collecting django\nInstalling django\n")
    return job


@pytest.fixture
async def deployer(connect):
    return await connect(Scope.DEPLOY)


async def taken(client, address=SHOP, *, tag='"1"', reason=WHY, **query):
    headers = {} if tag is None else {"If-Match": tag}
    params = {
        name: value for name, value in {"reason": reason, **query}.items() if value is not None
    }
    return await client.delete(address, headers=headers, params=params)


async def placed(client, **fields):
    return await made(client.post("/v1/locks", json={**NO_DEPLOYS, **fields}))


def parameters(response):
    return [error["parameter"] for error in check_problem(response, 422)["errors"]]


# Looking


async def test_a_held_lock_tells_all_that_a_person_asks(client, job):
    response = await client.get(SHOP)
    shown = response.json()
    assert response.status_code == 200
    assert response.headers["etag"] == '"1"'
    assert (shown["name"], shown["token"], shown["message"]) == ("instance:shop", 1, None)
    assert (shown["actor"], shown["safe_to_break"]) == ("test-admin", False)
    assert job["id"] in shown["advice"]
    holder = shown["holder"]
    assert holder["job"] == job["id"]
    assert holder["why"] == "provision of shop to main"
    assert (holder["worker"], holder["status"], holder["attempt"]) == ("tests", "running", 1)
    assert holder["alive"] is True
    assert holder["heard_at"] < holder["lease_until"]
    assert (holder["step"], holder["last_line"]) == ("Look", "Installing django")
    assert shown["since"] <= holder["step_since"]


async def test_who_waits_is_told_in_order(client, job):
    second = await made(client.post("/v1/jobs", json=ORDER))
    third = await made(client.post("/v1/jobs", json={**ORDER, "priority": -1}))
    waiting = (await client.get(SHOP)).json()["waiting"]
    assert [(one["job"], one["position"]) for one in waiting] == [
        (third["id"], 1),
        (second["id"], 2),
    ]


@pytest.mark.parametrize("how", ["instance:{id}", "instance%3Ashop"])
async def test_an_id_and_an_encoded_name_are_understood(client, job, how):
    name = how.format(id=job["instance"]["id"])
    assert (await client.get(f"/v1/locks/{name}")).json()["name"] == "instance:shop"


async def test_a_lock_that_nobody_holds_is_not_there(client, instance):
    check_problem(await client.get(SHOP), 404, "not-found")


@pytest.mark.parametrize(
    "name", ["shop", "instance:", "instance:no shop", "manual:shop", "all", "manual:all:x", "%00"]
)
async def test_a_name_of_no_known_form_is_not_there(client, name):
    check_problem(await client.get(f"/v1/locks/{name}"), 404, "not-found")
    check_problem(await taken(client, f"/v1/locks/{name}"), 404, "not-found")


@pytest.mark.parametrize("name", ["s1", "all", "manual:s1"])
async def test_a_name_of_no_known_form_is_told_with_the_forms_there_are(client, name):
    for response in (
        await client.get(f"/v1/locks/{name}"),
        await taken(client, f"/v1/locks/{name}"),
    ):
        problem = check_problem(response, 404, "not-found")
        assert "host:NAME" in problem["detail"]
        assert problem["hint"] == "List those that are held: liftlock locks list"


async def test_the_list_has_the_held_ones_by_name_in_pages(client, job):
    await placed(client)
    await placed(client, on="host:alpha")
    pages = await walk(client, "/v1/locks", 2)
    assert [[lock["name"] for lock in page["items"]] for page in pages] == [
        ["instance:shop", "manual:all"],
        ["manual:host:alpha"],
    ]


async def test_a_cursor_of_another_list_is_refused(client, host):
    await made(client.post("/v1/hosts", json={**HOST, "name": "beta"}))
    cursor = (await client.get("/v1/hosts?limit=1")).json()["next"]
    assert parameters(await client.get(f"/v1/locks?after={cursor}")) == ["after"]
    assert parameters(await client.get("/v1/locks?after=")) == ["after"]


# Placing


async def test_a_lock_is_placed_and_found_where_the_answer_says(client, deployer):
    response = await deployer.post("/v1/locks", json=NO_DEPLOYS)
    shown = response.json()
    assert response.status_code == 201
    assert (shown["name"], shown["message"]) == ("manual:all", NO_DEPLOYS["message"])
    assert (shown["actor"], shown["holder"], shown["waiting"]) == ("test-deploy", None, [])
    assert shown["safe_to_break"] is True
    again = await client.get(response.headers["location"])
    assert again.json() == shown
    assert again.headers["etag"] == response.headers["etag"] == f'"{shown["token"]}"'


async def test_a_lock_is_placed_once_however_often_it_is_sent(client):
    headers = {"Idempotency-Key": "k"}
    first = await client.post("/v1/locks", json=NO_DEPLOYS, headers=headers)
    again = await client.post("/v1/locks", json=NO_DEPLOYS, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["etag"] == first.headers["etag"]


async def test_what_is_locked_by_hand_is_not_locked_again(client):
    first = await placed(client)
    refused = await client.post("/v1/locks", json={**NO_DEPLOYS, "message": "Me too."})
    problem = check_problem(refused, 409, "manual-lock")
    assert (problem["lock"], problem["message"]) == ("manual:all", NO_DEPLOYS["message"])
    assert (problem["actor"], problem["since"]) == (first["actor"], first["since"])


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/on", {"on": "shop"}),
        ("/on", {"on": "manual:all"}),
        ("/on", {"on": "host:"}),
        ("/on", {"on": "instance:gone"}),
        ("/on", {"on": ""}),
        ("/on", {"on": "host:\0"}),
        ("/on", {"on": "host:" + "x" * 200}),
        ("/message", {"message": ""}),
        ("/message", {"message": "  "}),
        ("/message", {"message": "a\nb"}),
        ("/message", {"message": "x" * 501}),
        ("/message", {"message": "\u200b"}),
        ("/message", {"message": "\u3164 \u2800"}),
        ("/message", {"message": "no \u202esyolped"}),
        ("/until", {"until": "noon"}),
    ],
)
async def test_what_is_no_lock_is_refused_with_its_place(client, instance, pointer, body):
    assert pointers(await client.post("/v1/locks", json={**NO_DEPLOYS, **body})) == [pointer]
    assert (await client.get("/v1/locks")).json()["items"] == []


@pytest.mark.parametrize("on", ["s1", "ALL", "manual:all"])
async def test_where_nothing_can_be_locked_is_told_with_what_can(client, on):
    [error] = check_problem(await client.post("/v1/locks", json={**NO_DEPLOYS, "on": on}), 422)[
        "errors"
    ]
    assert error["pointer"] == "/on"
    assert error["detail"] == f"{on!r} is none of: all, host:NAME, instance:NAME."


async def test_a_long_message_is_told_its_characters(client):
    response = await client.post("/v1/locks", json={**NO_DEPLOYS, "message": "x" * 501})
    [error] = check_problem(response, 422)["errors"]
    assert "500 characters" in error["detail"]


async def test_words_with_accents_and_signs_are_taken(client):
    said = "Fête: 営業中 ✔ 100 %"
    assert (await placed(client, message=said))["message"] == said


@pytest.mark.parametrize("on", ["all", "host:alpha", "instance:shop"])
async def test_a_job_is_refused_with_what_the_lock_says(client, instance, on):
    lock = await placed(client, on=on)
    refused = await client.post("/v1/jobs", json=ORDER)
    problem = check_problem(refused, 409, "manual-lock")
    assert (problem["lock"], problem["message"]) == (lock["name"], lock["message"])
    assert (problem["actor"], problem["since"]) == (lock["actor"], lock["since"])
    assert problem["hint"]
    assert (await client.get("/v1/jobs")).json()["items"] == []


async def test_a_lock_of_another_instance_is_in_nobodys_way(client, instance):
    await made(client.post("/v1/instances", json={**INSTANCE, "name": "other"}))
    await placed(client, on="instance:other")
    assert (await client.post("/v1/jobs", json=ORDER)).status_code == 202


# Breaking


async def test_a_lock_of_a_person_is_lifted_by_its_token(client, deployer, instance):
    lock = await placed(client)
    done = await taken(deployer, "/v1/locks/manual:all", tag=f'"{lock["token"]}"')
    assert done.status_code == 200
    shown = done.json()
    assert (shown["name"], shown["job"], shown["was_alive"]) == ("manual:all", None, False)
    assert (await client.get("/v1/locks")).json()["items"] == []
    assert (await client.post("/v1/jobs", json=ORDER)).status_code == 202


async def test_the_next_lock_of_a_person_has_another_token(client):
    first = await placed(client)
    await taken(client, "/v1/locks/manual:all", tag=f'"{first["token"]}"')
    second = await placed(client)
    assert second["token"] > first["token"]
    stale = await taken(client, "/v1/locks/manual:all", tag=f'"{first["token"]}"')
    problem = check_problem(stale, 412, "stale")
    assert str(second["token"]) in problem["detail"]


async def test_a_living_holder_is_named_instead_of_broken(client, job):
    problem = check_problem(await taken(client), 409, "holder-alive")
    holder = problem["holder"]
    assert (holder["job"], holder["worker"]) == (job["id"], "tests")
    assert (holder["step"], holder["last_line"]) == ("Look", "Installing django")
    assert holder["heard_at"]
    assert problem["hint"]
    assert (await client.get(SHOP)).status_code == 200


async def test_by_force_a_living_holder_loses_it_and_its_job_has_failed(client, job):
    done = (await taken(client, force="true")).json()
    assert (done["name"], done["token"], done["job"]) == ("instance:shop", 1, job["id"])
    assert done["was_alive"] is True
    assert done["advice"]
    check_problem(await client.get(SHOP), 404)
    ended = (await client.get(job["links"]["self"])).json()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "lock-broken")
    assert (ended["outcome"], ended["service_state"]) == ("rollback_failed", "unknown")
    events = (await client.get(job["links"]["events"])).json()["items"]
    [told] = [event["data"] for event in events if event["type"] == "lock.broken"]
    assert (told["by"], told["reason"], told["forced"]) == ("test-admin", WHY, True)


async def test_only_an_administrator_takes_a_jobs_lock_away(client, deployer, job):
    check_problem(await taken(deployer, force="true"), 403, "forbidden")
    assert (await client.get(SHOP)).status_code == 200


async def test_who_may_only_read_places_and_lifts_nothing(client, connect):
    reader = await connect(Scope.READ)
    lock = await placed(client)
    check_problem(await reader.post("/v1/locks", json=NO_DEPLOYS), 403, "forbidden")
    refused = await taken(reader, "/v1/locks/manual:all", tag=f'"{lock["token"]}"')
    check_problem(refused, 403, "forbidden")
    assert (await reader.get("/v1/locks/manual:all")).status_code == 200


async def test_without_a_token_the_way_to_it_is_told(client, job):
    problem = check_problem(await taken(client, tag=None), 428, "if-match-missing")
    assert f"GET {SHOP}" in problem["hint"]
    assert "ETag" in problem["hint"]


@pytest.mark.parametrize("tag", ["*", "1", '"one"', '"1", "2"', ""])
async def test_what_names_no_one_token_is_refused(client, job, tag):
    assert parameters(await taken(client, tag=tag, force="true")) == ["if-match"]
    assert (await client.get(SHOP)).status_code == 200


async def test_another_token_breaks_nothing_and_the_present_one_is_told(client, job):
    problem = check_problem(await taken(client, tag='"2"', force="true"), 412, "stale")
    assert "1" in problem["detail"]
    assert problem["hint"]
    assert (await client.get(SHOP)).status_code == 200


@pytest.mark.parametrize("reason", [None, "", "   ", "a\nb", "\0", "\u200b", "\u202ea", "x" * 501])
async def test_without_a_good_reason_nothing_is_broken(client, job, reason):
    assert parameters(await taken(client, reason=reason, force="true")) == ["reason"]
    assert (await client.get(SHOP)).status_code == 200


async def test_a_lock_that_nobody_holds_cannot_be_broken(client, instance):
    check_problem(await taken(client), 404, "not-found")


# What a waiting job says


async def test_a_blocked_job_tells_its_place_its_bound_and_what_to_do(client, db, job):
    waits = await made(client.post("/v1/jobs", json=ORDER))
    await held(db, waits["id"])
    shown = (await client.get(waits["links"]["self"])).json()
    assert (shown["status"], shown["position"]) == ("blocked", 1)
    assert shown["waits_until"] > shown["created_at"]
    [item] = shown["blocked_by"]
    assert (item["kind"], item["job"]) == ("lock", job["id"])
    assert "liftlock" in item["hint"]


async def test_a_running_job_waits_for_nobody(client, job):
    shown = (await client.get(job["links"]["self"])).json()
    assert (shown["position"], shown["waits_until"], shown["blocked_by"]) == (None, None, [])
