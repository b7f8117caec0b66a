"""`liftlock hosts`."""

import json

import httpx
import pytest

from tests.unit.cli.fake import JOB, events, job, page, problem

FOUND = "SHA256:0dmKmN7Nq5n8mXJf3Q0lW5yqJbq0v6v9ZbJ2nW2m3hE"
HOST = {
    "id": "2",
    "name": "web-1",
    "address": "192.0.2.10",
    "user": "deploy",
    "status": "ready",
    "enrolled": False,
    "fingerprint": None,
    "pending_fingerprint": FOUND,
    "supervisor": "none",
    "supervisor_options": {"conf": "/etc/supervisor"},
    "labels": {"rack": "1"},
    "capacity": 2,
}


@pytest.fixture
def enrolling(api):
    """A host whose key the API can read."""
    api.on("POST", "/v1/hosts/web-1/enroll", (202, job("queued", kind="enroll")), HOST)
    api.on("GET", f"/v1/jobs/{JOB}/events", page(*events("job.queued", "job.succeeded")))
    api.on("GET", f"/v1/jobs/{JOB}", job(kind="enroll"))
    api.on("GET", "/v1/hosts/web-1", HOST)
    return api


def pinned(api):
    bodies = api.sent("POST", "/v1/hosts/web-1/enroll")
    return [body["fingerprint"] for body in bodies if body]


def test_only_what_was_typed_is_sent(cli, api):
    api.on("POST", "/v1/hosts", (201, HOST))
    result = cli("hosts", "add", "web-1", "192.0.2.10", "--user", "deploy")
    assert result.exit_code == 0
    assert api.sent("POST", "/v1/hosts") == [
        {"name": "web-1", "address": "192.0.2.10", "user": "deploy"}
    ]
    assert "liftlock hosts enroll web-1" in result.stdout


def test_every_option_has_its_field(cli, api, tmp_path):
    key = tmp_path / "host.pub"
    key.write_text("ssh-ed25519 AAAA web-1\n")
    api.on("POST", "/v1/hosts", (201, {**HOST, "enrolled": True}))
    options = [
        "--user",
        "deploy",
        "--port",
        "2222",
        "--base-dir",
        "srv",
        "--sudo",
        "--jump",
        "gate",
        "--supervisor",
        "supervisord",
        "--supervisor-option",
        "conf=/etc/s",
        "--supervisor-option",
        "ctl=a=b",
        "--site-address",
        "10.0.0.10",
        "--pool",
        "blue",
        "--places",
        "20",
        "--label",
        "rack=1",
        "--capacity",
        "5",
        "--ports",
        "20000-20099",
    ]
    result = cli("hosts", "add", "web-1", "192.0.2.10", *options, "--host-key", f"@{key}")
    assert result.exit_code == 0
    assert "enroll" not in result.stdout
    assert api.sent("POST", "/v1/hosts") == [
        {
            "name": "web-1",
            "address": "192.0.2.10",
            "user": "deploy",
            "port": 2222,
            "base_dir": "srv",
            "sudo": True,
            "jump_host": "gate",
            "supervisor": "supervisord",
            "supervisor_options": {"conf": "/etc/s", "ctl": "a=b"},
            "site_address": "10.0.0.10",
            "pool": "blue",
            "places": 20,
            "labels": {"rack": "1"},
            "capacity": 5,
            "port_first": 20000,
            "port_last": 20099,
            "host_key": "ssh-ed25519 AAAA web-1",
        }
    ]


@pytest.mark.parametrize("ports", ["20000", "b-a", "30000-20000", "0-10", "1-70000"])
def test_a_range_of_ports_that_is_none_is_refused(cli, api, ports):
    assert cli("hosts", "add", "web-1", "192.0.2.10", "--ports", ports).exit_code == 2
    assert api.requests == []


def test_hosts_are_listed_over_all_pages(cli, api):
    api.on("GET", "/v1/hosts", page(HOST, after="c1"), page({**HOST, "name": "web-2"}))
    result = cli("hosts", "list")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "web-1", "web-2"]
    assert api.requests[1].url.params["after"] == "c1"
    api.on("GET", "/v1/hosts", page(HOST))
    assert json.loads(cli("hosts", "list", "--json").stdout) == [HOST]


def test_an_empty_list_says_what_to_type_and_leaves_standard_output_empty(cli, api):
    api.on("GET", "/v1/hosts", page())
    result = cli("hosts", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "liftlock hosts add" in result.stderr


def test_a_change_carries_the_etag_and_only_what_was_named(cli, api):
    api.on("GET", "/v1/hosts/web-1", HOST)
    api.on("PATCH", "/v1/hosts/web-1", HOST)
    assert cli("hosts", "set", "web-1", "--label", "room=2", "--jump", "").exit_code == 0
    patch = api.requests[-1]
    assert patch.headers["If-Match"] == 'W/"7"'
    assert json.loads(patch.content) == {"labels": {"room": "2"}, "jump_host": None}


def test_no_places_at_all_means_no_limit(cli, api):
    api.on("GET", "/v1/hosts/web-1", HOST)
    api.on("PATCH", "/v1/hosts/web-1", HOST)
    assert cli("hosts", "set", "web-1", "--places", "0").exit_code == 0
    assert api.sent("PATCH", "/v1/hosts/web-1") == [{"places": None}]


def test_a_change_that_came_too_late_is_made_again_on_the_new_state(cli, api):
    newer = httpx.Response(200, json=HOST, headers={"ETag": 'W/"8"'})
    api.on("GET", "/v1/hosts/web-1", HOST, newer)
    api.on("PATCH", "/v1/hosts/web-1", problem(412, code="stale", title="Stale"), HOST)
    assert cli("hosts", "set", "web-1", "--label", "room=2").exit_code == 0
    tags = [request.headers["If-Match"] for request in api.requests if request.method == "PATCH"]
    assert tags == ['W/"7"', 'W/"8"']


def test_a_change_that_is_always_too_late_is_given_up(cli, api):
    api.on("GET", "/v1/hosts/web-1", HOST)
    api.on("PATCH", "/v1/hosts/web-1", problem(412, code="stale", title="Stale"))
    assert cli("hosts", "set", "web-1", "--capacity", "3").exit_code == 2
    assert len(api.sent("PATCH", "/v1/hosts/web-1")) == 2


def test_a_change_of_nothing_is_refused(cli, api):
    assert cli("hosts", "set", "web-1").exit_code == 2
    assert api.requests == []


def test_deleting_asks_first(cli, api):
    api.on("GET", "/v1/hosts/web-1", HOST)
    api.on("DELETE", "/v1/hosts/web-1", (204, None))
    silent = cli("hosts", "delete", "web-1")
    assert silent.exit_code == 2
    assert "liftlock hosts delete web-1 --yes" in silent.stderr
    cli.interactive = True
    assert cli("hosts", "delete", "web-1", given="n\n").exit_code == 2
    assert [request.method for request in api.requests] == []
    assert cli("hosts", "delete", "web-1", given="y\n").exit_code == 0
    assert api.requests[-1].headers["If-Match"] == 'W/"7"'


def test_without_a_person_to_ask_enrolling_shows_the_key_and_what_to_type(cli, enrolling):
    result = cli("hosts", "enroll", "web-1")
    assert result.exit_code == 2
    assert FOUND in result.stdout
    assert f"liftlock hosts enroll web-1 --fingerprint {FOUND}" in result.stderr
    assert pinned(enrolling) == []


def test_a_person_confirms_the_fingerprint(cli, enrolling):
    cli.interactive = True
    result = cli("hosts", "enroll", "web-1", given="y\n")
    assert result.exit_code == 0
    assert pinned(enrolling) == [FOUND]


def test_a_person_who_says_no_pins_nothing(cli, enrolling):
    cli.interactive = True
    result = cli("hosts", "enroll", "web-1", given="n\n")
    assert result.exit_code == 2
    assert pinned(enrolling) == []


def test_the_expected_fingerprint_is_pinned_without_a_question(cli, enrolling):
    assert cli("hosts", "enroll", "web-1", "--fingerprint", FOUND).exit_code == 0
    assert pinned(enrolling) == [FOUND]


def test_another_fingerprint_than_expected_is_refused_even_with_yes(cli, enrolling):
    result = cli("hosts", "enroll", "web-1", "--fingerprint", "SHA256:other", "--yes")
    assert result.exit_code == 2
    assert FOUND in result.stderr
    assert "SHA256:other" in result.stderr
    assert pinned(enrolling) == []


def test_yes_pins_what_the_host_shows(cli, enrolling):
    result = cli("hosts", "enroll", "web-1", "--yes", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["name"] == "web-1"


def test_a_host_that_cannot_be_reached_is_not_enrolled(cli, enrolling):
    error = {
        "code": "host-unreachable",
        "title": "The host does not answer",
        "detail": "192.0.2.10 port 22: refused",
        "hint": "Is sshd running there?",
    }
    enrolling.on("GET", f"/v1/jobs/{JOB}/events", page(*events("job.failed")))
    enrolling.on("GET", f"/v1/jobs/{JOB}", job("failed", error=error))
    result = cli("hosts", "enroll", "web-1", "--yes")
    assert result.exit_code == 1
    assert "192.0.2.10 port 22: refused" in result.stderr
    assert "Is sshd running there?" in result.stderr
    assert pinned(enrolling) == []


def test_a_host_in_quarantine_is_shown_with_the_reason_and_the_job(cli, api):
    detail = "2 provisions in a row ended because of it: host-unreachable."
    reason = {
        "code": "host-unreachable",
        "detail": detail,
        "job": JOB,
        "at": "2026-11-22T03:00:00Z",
    }
    found = {**HOST, "status": "quarantined", "status_reason": reason}
    api.on("GET", "/v1/hosts/web-1", found)
    api.on("GET", "/v1/hosts", page(found))
    shown = cli("hosts", "show", "web-1").stdout
    assert detail in shown
    assert JOB in shown
    assert cli("hosts", "list").stdout.rstrip().endswith(detail)


def test_the_hosts_of_one_pool_are_asked_for(cli, api):
    api.on("GET", "/v1/hosts", page())
    assert "no hosts in pool web" in cli("hosts", "list", "--pool", "web").stderr
    assert [request.url.params["pool"] for request in api.requests] == ["web"]
