import pytest

from app.domain.host_key import fingerprint
from tests.integration.api.conftest import HOST, made
from tests.support import factories, worked
from tests.support.problems import check_problem, pointers

SHOWN = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBL9XZFh5DVyeJ+gyoD"
    "RaFrPFDL46y4gzza0ZJOZQXB+LievlTSua5fDCT80STsOLM2x/rw3HY7BdMDlknIrygtk="
)
NEW = fingerprint(SHOWN)
PINNED = fingerprint(factories.HOST_KEY)


@pytest.fixture
async def stranger(client):
    """A host whose key is not pinned."""
    return await made(client.post("/v1/hosts", json={**HOST, "host_key": None}))


async def show_key(client, db):
    """What the worker does: the job that reads the key keeps what it found."""
    job = await made(client.post("/v1/hosts/alpha/enroll", json={}))
    await worked.show_host_key(db, job["id"], host_key=SHOWN, fingerprint=NEW)
    return job


async def confirm(client, text):
    return await client.post("/v1/hosts/alpha/enroll", json={"fingerprint": text})


async def test_enrolling_asks_for_a_job_that_reads_the_key(client, stranger):
    response = await client.post("/v1/hosts/alpha/enroll", json={})
    job = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert response.headers["retry-after"] == "1"
    assert (job["kind"], job["host"]["name"]) == ("enroll", "alpha")


async def test_a_key_that_was_read_waits_for_confirmation(client, db, stranger):
    await show_key(client, db)
    host = (await client.get("/v1/hosts/alpha")).json()
    assert (host["enrolled"], host["fingerprint"]) == (False, None)
    assert host["pending_fingerprint"] == NEW


async def test_confirming_the_fingerprint_pins_the_key(client, db, stranger):
    await show_key(client, db)
    response = await confirm(client, NEW)
    assert response.status_code == 200
    host = response.json()
    assert (host["enrolled"], host["fingerprint"], host["host_key"]) == (True, NEW, SHOWN)
    assert (host["pending_fingerprint"], host["replaced_fingerprint"]) == (None, None)
    assert (await client.get("/v1/hosts/alpha")).headers["etag"] == response.headers["etag"]


async def test_another_fingerprint_is_refused_and_both_are_shown(client, db, stranger):
    await show_key(client, db)
    problem = check_problem(await confirm(client, PINNED), 409, "conflict")
    assert NEW in problem["detail"]
    assert PINNED in problem["detail"]
    assert (await client.get("/v1/hosts/alpha")).json()["enrolled"] is False


async def test_nothing_can_be_confirmed_before_a_key_was_read(client, stranger):
    problem = check_problem(await confirm(client, NEW), 409, "conflict")
    assert "liftlock hosts enroll alpha" in problem["hint"]


async def test_a_changed_key_replaces_the_pinned_one_only_when_confirmed(client, db, host):
    await show_key(client, db)
    shown = (await client.get("/v1/hosts/alpha")).json()
    assert (shown["fingerprint"], shown["pending_fingerprint"]) == (PINNED, NEW)
    confirmed = (await confirm(client, NEW)).json()
    assert (confirmed["fingerprint"], confirmed["replaced_fingerprint"]) == (NEW, PINNED)


async def test_confirming_the_pinned_key_again_changes_nothing(client, host):
    response = await confirm(client, PINNED)
    assert (response.status_code, response.json()["version"]) == (200, host["version"])


async def test_what_is_no_fingerprint_is_refused(client, stranger):
    for text in ("MD5:aa:bb", "SHA256:short", NEW + "x"):
        assert pointers(await confirm(client, text)) == ["/fingerprint"]


async def test_an_unknown_host_cannot_be_enrolled(client):
    for body in ({}, {"fingerprint": NEW}):
        check_problem(await client.post("/v1/hosts/none/enroll", json=body), 404)


@pytest.mark.parametrize("change", [{"address": "127.0.0.2"}, {"port": 2222}, {"jump_host": "way"}])
async def test_a_key_of_another_machine_does_not_wait_any_longer(client, db, stranger, change):
    await made(client.post("/v1/hosts", json={**HOST, "name": "way"}))
    await show_key(client, db)
    await made(client.patch("/v1/hosts/alpha", json=change, headers={"If-Match": "*"}))
    assert (await client.get("/v1/hosts/alpha")).json()["pending_fingerprint"] is None
    check_problem(await confirm(client, NEW), 409)


async def test_a_change_beside_the_address_leaves_the_key_waiting(client, db, stranger):
    await show_key(client, db)
    body, headers = {"capacity": 3}, {"If-Match": "*"}
    await made(client.patch("/v1/hosts/alpha", json=body, headers=headers))
    assert (await confirm(client, NEW)).status_code == 200
