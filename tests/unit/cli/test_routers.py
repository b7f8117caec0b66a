"""`liftlock routers`."""

import json

import pytest

from tests.unit.cli.fake import page

EDGE = {
    "id": "r1",
    "name": "edge",
    "kind": "nginx",
    "host": "web-1",
    "options": {"http_port": 8080},
    "tls_modes": ["files", "off"],
    "holds": False,
}


def test_a_router_is_added_with_ports_as_numbers(cli, api):
    api.on("POST", "/v1/routers", (201, EDGE))
    options = ["--option", "http_port=8080", "--option", "config=/etc/nginx/main.conf"]
    result = cli("routers", "add", "edge", "--kind", "nginx", "--host", "web-1", *options)
    assert result.exit_code == 0
    assert api.sent("POST", "/v1/routers") == [
        {
            "name": "edge",
            "kind": "nginx",
            "host": "web-1",
            "options": {"http_port": 8080, "config": "/etc/nginx/main.conf"},
        }
    ]
    assert "liftlock instances set NAME --router edge" in result.stdout


def test_routers_are_listed_and_shown(cli, api):
    api.on("GET", "/v1/routers", page(EDGE))
    api.on("GET", "/v1/routers/edge", EDGE)
    assert "edge  nginx  web-1  files, off" in cli("routers", "list").stdout
    assert "http_port=8080" in cli("routers", "show", "edge").stdout
    assert json.loads(cli("routers", "show", "edge", "--json").stdout) == EDGE


def test_an_empty_list_says_how_to_add_one(cli, api):
    api.on("GET", "/v1/routers", page())
    assert "liftlock routers add" in cli("routers", "list").stderr


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        (["--name", "front"], {"name": "front"}),
        (["--kind", "haproxy", "--host", "web-2"], {"kind": "haproxy", "host": "web-2"}),
        (["--option", "http_port=80"], {"options": {"http_port": 80}}),
        (["--unset", "http_port"], {"options": {"http_port": None}}),
    ],
)
def test_a_router_is_changed(cli, api, options, patch):
    api.on("GET", "/v1/routers/edge", EDGE)
    api.on("PATCH", "/v1/routers/edge", EDGE)
    assert cli("routers", "set", "edge", *options).exit_code == 0
    assert api.sent("PATCH", "/v1/routers/edge") == [patch]
    assert api.requests[-1].headers["If-Match"] == 'W/"7"'


def test_a_change_of_nothing_is_refused(cli, api):
    assert cli("routers", "set", "edge").exit_code == 2
    assert api.requests == []


def test_deleting_asks_first(cli, api):
    api.on("GET", "/v1/routers/edge", EDGE)
    api.on("DELETE", "/v1/routers/edge", (204, None))
    assert "liftlock routers delete edge --yes" in cli("routers", "delete", "edge").stderr
    assert api.requests == []
    assert cli("routers", "delete", "edge", "--yes").exit_code == 0


def test_a_router_that_is_gone_for_good_is_deleted_with_what_it_should_forget(cli, api):
    api.on("GET", "/v1/routers/edge", EDGE)
    api.on("DELETE", "/v1/routers/edge", (204, None))
    asked = cli("routers", "delete", "edge", "--gone").stderr
    assert "liftlock routers delete edge --gone --yes" in asked
    assert cli("routers", "delete", "edge", "--gone", "--yes").exit_code == 0
    assert api.requests[-1].url.params["gone"] == "true"


def test_what_a_look_found_is_shown_and_what_to_type(cli, api):
    drift = {"instance": "shop", "at": "2026-11-21T06:00:00Z", "found": "found a, wanted b"}
    seen = {"looked_at": "2026-11-21T06:05:00Z", "behind": ["shop"], "forgetting": ["old"]}
    api.on("GET", "/v1/routers/edge", {**EDGE, **seen, "drifts": [drift]})
    text = cli("routers", "show", "edge").stdout
    assert "not repaired yet: found a, wanted b" in text
    assert "has to forget" in text
    assert "liftlock routers sync edge" in text


def test_a_router_that_nobody_will_look_at_is_not_promised_to_be(cli, api):
    why = "Looks are switched off."
    api.on("POST", "/v1/routers/edge/sync", (202, {"jobs": [], "no_look": why}))
    text = cli("routers", "sync", "edge").stdout
    assert "Router edge is not looked at. Looks are switched off." in text
    assert "next" not in text


def test_a_router_is_told_at_once(cli, api):
    api.on("POST", "/v1/routers/edge/sync", (202, {"jobs": ["j1"]}))
    assert "liftlock jobs logs -f j1" in cli("routers", "sync", "edge").stdout
    assert json.loads(cli("routers", "sync", "edge", "--json").stdout) == {"jobs": ["j1"]}
