import asyncio

import pytest
from sqlalchemy import text

from app import services, store
from app.models import Instance
from tests.integration.api.conftest import HOST, INSTANCE, made
from tests.support import factories, worked
from tests.support.problems import check_problem, pointers

BAD = [
    ("/name", {"name": "Web 1"}),
    ("/name", {"name": "-a"}),
    ("/name", {"name": "a" * 64}),
    ("/name", {"name": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"}),
    ("/address", {"address": "a b"}),
    ("/address", {"address": "-oProxyCommand=x"}),
    ("/address", {"address": "a;b"}),
    ("/address", {"address": "fe80::1%eth0"}),
    ("/port", {"port": 0}),
    ("/port", {"port": 65_536}),
    ("/port", {"port": True}),
    ("/user", {"user": "-root"}),
    ("/user", {"user": "a b"}),
    ("/base_dir", {"base_dir": "../up"}),
    ("/base_dir", {"base_dir": "a/../../b"}),
    ("/base_dir", {"base_dir": "-rf"}),
    ("/base_dir", {"base_dir": "a$(id)"}),
    ("/base_dir", {"base_dir": "/"}),
    ("/jump_host", {"jump_host": "nowhere"}),
    ("/supervisor", {"supervisor": "init"}),
    ("/supervisor_options", {"supervisor": "systemd", "supervisor_options": {"config": "/x"}}),
    ("/supervisor_options", {"supervisor": "systemd", "supervisor_options": {"scope": "root"}}),
    (
        "/supervisor_options/command",
        {"supervisor": "supervisord", "supervisor_options": {"command": "a\nb"}},
    ),
    (
        "/supervisor_options/config",
        {"supervisor": "supervisord", "supervisor_options": {"config": "a\u0007b"}},
    ),
    ("/labels/a", {"labels": {"a": 1}}),
    ("/site_address", {"site_address": "web-1.example.org"}),
    ("/site_address", {"site_address": "0.0.0.0"}),
    ("/site_address", {"site_address": "fd00::1"}),
    ("/places", {"places": 0}),
    ("/capacity", {"capacity": 0}),
    ("/port_last", {"port_first": 3000, "port_last": 2999}),
    ("/status", {"status": "unreachable"}),
    ("/host_key", {"host_key": "ssh-ed25519 AAAA"}),
    ("/host_key", {"host_key": "ssh-rsa " + factories.HOST_KEY.split()[1]}),
    ("/host_key", {"host_key": factories.HOST_KEY[:-8]}),
    ("/fingerprint", {"fingerprint": "SHA256:x"}),
]


async def test_a_host_is_registered_and_found_by_name_and_by_id(client):
    response = await client.post("/v1/hosts", json=HOST)
    assert response.status_code == 201
    host = response.json()
    assert response.headers["location"] == f"/v1/hosts/{host['id']}"
    assert response.headers["etag"] == 'W/"1"'
    for ref in ("alpha", host["id"]):
        found = await client.get(f"/v1/hosts/{ref}")
        assert found.json() == host
        assert found.headers["etag"] == 'W/"1"'


async def test_what_is_not_said_has_the_documented_default(client):
    body = {"name": "bare", "address": "2001:db8::1", "user": "deploy"}
    host = await made(client.post("/v1/hosts", json=body))
    expected = {
        "port": 22,
        "base_dir": "liftlock",
        "sudo": False,
        "supervisor": "none",
        "capacity": 2,
        "site_address": "127.0.0.1",
        "places": None,
        "port_first": 20000,
        "port_last": 29999,
        "status": "ready",
        "enrolled": False,
        "fingerprint": None,
    }
    assert host | expected == host


@pytest.mark.parametrize(("pointer", "wrong"), BAD)
async def test_a_wrong_field_is_refused_with_its_place_and_nothing_is_kept(client, pointer, wrong):
    assert pointers(await client.post("/v1/hosts", json={**HOST, **wrong})) == [pointer]
    assert (await client.get("/v1/hosts")).json()["items"] == []


async def test_a_name_is_given_once(client, host):
    problem = check_problem(await client.post("/v1/hosts", json=HOST), 409, "already-exists")
    assert "alpha" in problem["detail"]


async def test_a_comment_behind_the_key_is_dropped(client):
    body = {**HOST, "host_key": factories.HOST_KEY + " root@web-1\n"}
    assert (await made(client.post("/v1/hosts", json=body)))["host_key"] == factories.HOST_KEY


async def test_a_patch_changes_what_it_names_and_null_takes_away(client, host):
    first = {"pool": "web", "labels": {"rack": "7", "row": "b"}, "capacity": 5}
    await made(client.patch("/v1/hosts/alpha", json=first, headers={"If-Match": 'W/"1"'}))
    second = {"pool": None, "labels": {"row": None}, "capacity": None}
    response = await client.patch("/v1/hosts/alpha", json=second, headers={"If-Match": 'W/"2"'})
    assert response.headers["etag"] == 'W/"3"'
    changed = {"pool": None, "labels": {"rack": "7"}, "capacity": 2, "version": 3}
    assert response.json() == {**host, **changed, "updated_at": response.json()["updated_at"]}


async def test_a_host_tells_where_its_sites_listen_and_how_many_fit(client, host):
    body = {"site_address": "10.0.0.11", "places": 20}
    changed = await made(client.patch("/v1/hosts/alpha", json=body, headers={"If-Match": "*"}))
    assert changed | body == changed
    none = {"places": None, "site_address": None}
    back = await made(client.patch("/v1/hosts/alpha", json=none, headers={"If-Match": "*"}))
    assert (back["places"], back["site_address"]) == (None, "127.0.0.1")


async def test_a_patch_may_say_that_it_is_a_merge_patch(client, host):
    headers = {"If-Match": '"1"', "Content-Type": "application/merge-patch+json"}
    response = await client.patch("/v1/hosts/alpha", content=b'{"capacity": 3}', headers=headers)
    assert response.json()["capacity"] == 3


@pytest.mark.parametrize(("pointer", "wrong"), [*BAD, ("/address", {"address": None})])
async def test_a_wrong_patch_is_refused_and_changes_nothing(client, host, pointer, wrong):
    response = await client.patch("/v1/hosts/alpha", json=wrong, headers={"If-Match": "*"})
    assert pointers(response) == [pointer]
    assert (await client.get("/v1/hosts/alpha")).json() == host


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_change_must_name_the_version_it_was_made_from(client, host, method):
    body = {"json": {"capacity": 9}} if method == "PATCH" else {}
    check_problem(await client.request(method, "/v1/hosts/alpha", **body), 428, "if-match-missing")
    for tag in ('W/"7"', '"0"', "1", 'W/"x"', ""):
        headers = {"If-Match": tag}
        response = await client.request(method, "/v1/hosts/alpha", headers=headers, **body)
        check_problem(response, 412, "stale")
    assert (await client.get("/v1/hosts/alpha")).json() == host


async def test_one_of_several_versions_is_enough(client, host):
    headers = {"If-Match": 'W/"9", "1"'}
    assert (await client.delete("/v1/hosts/alpha", headers=headers)).status_code == 204


async def test_a_host_is_closed_and_opened_by_its_status(client, host):
    for status in ("cordoned", "quarantined", "ready"):
        body, headers = {"status": status}, {"If-Match": "*"}
        assert (await made(client.patch("/v1/hosts/alpha", json=body, headers=headers)))[
            "status"
        ] == status


async def test_a_host_tells_why_it_is_in_quarantine_until_somebody_sets_its_status(
    client, db, host
):
    reason = {"code": "host-unreachable", "detail": "Twice.", "job": None}
    async with db.transaction() as session:
        await store.hosts.quarantine(session, await store.hosts.lock(session, "alpha"), reason)
    shown = (await client.get("/v1/hosts/alpha")).json()
    assert shown["status_reason"].pop("at")
    assert (shown["status"], shown["status_reason"]) == ("quarantined", reason)
    body, headers = {"status": "ready"}, {"If-Match": f'W/"{shown["version"]}"'}
    opened = await made(client.patch("/v1/hosts/alpha", json=body, headers=headers))
    assert (opened["status"], opened["status_reason"]) == ("ready", None)


async def test_the_hosts_of_one_pool_are_listed(client, host):
    for name, pool in (("b", "web"), ("c", "web"), ("d", "other")):
        await made(client.post("/v1/hosts", json={**HOST, "name": name, "pool": pool}))
    listed = (await client.get("/v1/hosts", params={"pool": "web"})).json()["items"]
    assert [one["name"] for one in listed] == ["b", "c"]


async def test_a_host_is_reached_through_another(client, host):
    body = {**HOST, "name": "inner", "jump_host": "alpha"}
    assert (await made(client.post("/v1/hosts", json=body)))["jump_host"] == "alpha"
    problem = check_problem(
        await client.delete("/v1/hosts/alpha", headers={"If-Match": "*"}), 409, "in-use"
    )
    assert "jump through it" in problem["detail"]


async def test_a_way_that_leads_through_itself_is_refused(client, host):
    await made(client.post("/v1/hosts", json={**HOST, "name": "b", "jump_host": "alpha"}))
    await made(client.post("/v1/hosts", json={**HOST, "name": "c", "jump_host": "b"}))
    for via in ("alpha", "b", "c"):
        body, headers = {"jump_host": via}, {"If-Match": "*"}
        response = await client.patch("/v1/hosts/alpha", json=body, headers=headers)
        assert pointers(response) == ["/jump_host"]


async def test_a_host_with_a_site_on_it_stays(client, instance):
    response = await client.delete("/v1/hosts/alpha", headers={"If-Match": "*"})
    assert "1 instance(s)" in check_problem(response, 409, "in-use")["detail"]


async def test_a_host_whose_jobs_are_history_can_go(client, db, host):
    job = await made(client.post("/v1/hosts/alpha/enroll", json={}))
    headers = {"If-Match": "*"}
    check_problem(await client.delete("/v1/hosts/alpha", headers=headers), 409, "in-use")
    await worked.finish(db, job["id"])
    assert (await client.delete("/v1/hosts/alpha", headers=headers)).status_code == 204
    assert (await client.get(f"/v1/jobs/{job['id']}")).json()["host"] is None
    check_problem(await client.get("/v1/hosts/alpha"), 404)


async def test_a_smaller_range_of_ports_takes_effect_at_once(client, instance):
    body, headers = {"port_first": 4000, "port_last": 4001}, {"If-Match": "*"}
    await made(client.patch("/v1/hosts/alpha", json=body, headers=headers))
    order = {"kind": "provision", "instance": INSTANCE["name"]}
    assert (await made(client.post("/v1/jobs", json=order)))["app_server"]["port"] == 4000


@pytest.mark.parametrize("scope", ["user", "system"])
async def test_systemd_has_a_scope(client, scope):
    body = {**HOST, "supervisor": "systemd", "supervisor_options": {"scope": scope}}
    assert (await made(client.post("/v1/hosts", json=body)))["supervisor_options"]["scope"] == scope


async def test_a_taken_name_is_refused_by_a_patch_too(client, host):
    other = await made(client.post("/v1/hosts", json={**HOST, "name": "beta"}))
    response = await client.patch(
        "/v1/hosts/beta", json={"name": "alpha"}, headers={"If-Match": "*"}
    )
    assert "alpha" in check_problem(response, 409, "already-exists")["detail"]
    assert (await client.get("/v1/hosts/beta")).json() == other


async def test_a_sentence_ends_once(client):
    response = await client.post("/v1/hosts", json={**HOST, "jump_host": "bad9"})
    detail = check_problem(response, 422)["detail"]
    assert detail == "/jump_host: There is no host 'bad9'."


async def test_a_host_with_nothing_but_history_says_which_instance_to_delete(client, db, instance):
    job = await made(client.post("/v1/jobs", json={"kind": "provision", "instance": "shop"}))
    await worked.finish(db, job["id"])
    await worked.end_app_server(db, job["id"])
    await made(client.patch("/v1/instances/shop", json={"host": None}, headers={"If-Match": "*"}))
    problem = check_problem(
        await client.delete("/v1/hosts/alpha", headers={"If-Match": "*"}), 409, "in-use"
    )
    assert "1 ended app server(s)" in problem["detail"]
    assert "liftlock instances delete shop" in problem["hint"]


async def test_a_host_that_vanishes_while_a_job_waits_for_it_is_not_there(db, client, host):
    async with db.transaction() as session:
        await store.hosts.delete(session, await store.hosts.lock(session, "alpha"))
        order = asyncio.create_task(
            client.post("/v1/jobs", json={"kind": "enroll", "host": "alpha"})
        )
        await until_someone_waits_for_a_lock(session)
    assert pointers(await order) == ["/host"]


async def test_a_host_that_gets_a_site_while_it_is_deleted_stays(db, client, recipe, host):
    async with db.transaction() as session:
        view = await services.hosts.get(db, "alpha")
        recipe_row = await store.recipes.get(session, "plain")
        row = Instance(
            name="shop",
            recipe_id=recipe_row.id,
            repository=INSTANCE["repository"],
            revision="main",
            host_id=view.host.id,
        )
        await store.instances.add(session, row)
        leaving = asyncio.create_task(client.delete("/v1/hosts/alpha", headers={"If-Match": "*"}))
        await until_someone_waits_for_a_lock(session)
    check_problem(await leaving, 409, "in-use")


async def test_a_site_is_refused_when_its_host_vanishes_meanwhile(db, client, recipe, host):
    async with db.transaction() as session:
        await store.hosts.delete(session, await store.hosts.lock(session, "alpha"))
        coming = asyncio.create_task(client.post("/v1/instances", json=INSTANCE))
        await until_someone_waits_for_a_lock(session)
    assert pointers(await coming) == ["/host"]


async def until_someone_waits_for_a_lock(session):
    connection = await session.connection()
    waiting = text(
        "SELECT count(*) FROM pg_locks"
        " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    async with asyncio.timeout(10):
        while not (await connection.execute(waiting)).scalar_one():
            await asyncio.sleep(0.01)
