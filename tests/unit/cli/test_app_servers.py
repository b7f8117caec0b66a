"""`liftlock app-servers`: what serves, what is put there, and the way back."""

import json

import pytest

from tests.unit.cli.fake import JOB, events, job, page, problem
from tests.unit.cli.played_job import serve_events

SHOP = {"id": "1", "name": "shop"}
OLD = {
    "id": "a1",
    "instance": SHOP,
    "number": 1,
    "name": "AppServer 1",
    "status": "running",
    "is_active": True,
    "revision": "v1",
    "host": {"id": "2", "name": "web-1"},
    "url": "http://127.0.0.1:20000/",
    "created_at": "2026-01-02T03:04:05Z",
}
NEW = {**OLD, "id": "a2", "number": 2, "name": "AppServer 2", "is_active": False, "revision": "v2"}
MADE = {
    "kind": "activate",
    "app_server": None,
    "app_servers": [{"id": "a2", "name": "AppServer 2"}],
}
DONE = ("app_server.activated", {"id": "a2", "name": "AppServer 2"})


def address(ref, verb=""):
    return f"/v1/app-servers/{ref.replace(':', '%3A')}{verb}"


@pytest.fixture
def asked(api):
    """A site whose second app server can be put into the place of the first."""
    api.on("GET", address("shop:2"), NEW)
    api.on("GET", "/v1/instances/shop", {**SHOP, "active_app_servers": [OLD]})
    for verb in ("/activate", "/deactivate", "/terminate"):
        api.on("POST", address("shop:2", verb), (202, job("queued", **MADE)))
    api.on("GET", f"/v1/jobs/{JOB}", job(**MADE))
    serve_events(api, events("job.queued", "job.started", DONE, "job.succeeded"))
    return api


def sent(api, verb):
    return api.sent("POST", f"/v1/app-servers/shop:2/{verb}")


def test_the_list_marks_what_is_in_service(cli, api):
    api.on("GET", "/v1/instances/shop/app-servers", page(NEW, OLD))
    head, *lines = cli("app-servers", "list", "shop").stdout.splitlines()
    assert head.split()[:5] == ["APP", "SERVER", "ACTIVE", "STATE", "AGE"]
    assert [line.split()[:3] for line in lines] == [
        ["shop:2", "-", "running"],
        ["shop:1", "✓", "running"],
    ]
    assert json.loads(cli("app-servers", "list", "shop", "--json").stdout) == [NEW, OLD]


def test_the_list_says_of_which_nobody_knows_whether_it_is_gone(cli, api):
    error = {"title": "Nobody can tell whether the app server is gone"}
    api.on("GET", "/v1/instances/shop/app-servers", page({**NEW, "error": error}))
    head, line = cli("app-servers", "list", "shop").stdout.splitlines()
    assert head.endswith("ERROR")
    assert line.endswith(error["title"])


def test_a_site_without_app_servers_says_how_to_make_one(cli, api):
    api.on("GET", "/v1/instances/shop/app-servers", page())
    assert "liftlock provision shop" in cli("app-servers", "list", "shop").stderr


@pytest.mark.parametrize(
    ("found", "verb"),
    [
        (NEW, "activate"),
        (OLD, "deactivate"),
        ({**NEW, "error": {"code": "unconfirmed-gone"}}, "terminate"),
    ],
)
def test_one_is_shown_with_the_command_that_makes_sense_next(cli, api, found, verb):
    ref = f"shop:{found['number']}"
    api.on("GET", address(ref), found)
    assert f"liftlock app-servers {verb} {ref}" in cli("app-servers", "show", ref).stdout
    assert json.loads(cli("app-servers", "show", ref, "--json").stdout) == found


def test_only_what_was_typed_is_sent(cli, asked):
    assert cli("app-servers", "activate", "shop:2").exit_code == 0
    assert sent(asked, "activate") == [{}]


def test_every_option_of_an_activation_has_its_field(cli, asked):
    options = ["--with", "shop:3", "--with", "shop:4", "--partial", "--drain", "5", "--watch", "0"]
    assert cli("app-servers", "activate", "shop:2", *options).exit_code == 0
    assert sent(asked, "activate") == [
        {"app_servers": ["shop:3", "shop:4"], "partial": True, "drain": 5.0, "watch": 0.0}
    ]


@pytest.mark.parametrize("options", [[], ["--wait"], ["--follow"]])
def test_an_activation_tells_the_way_back(cli, asked, options):
    result = cli("app-servers", "activate", "shop:2", *options)
    assert result.exit_code == 0
    assert result.stdout.endswith("  back     liftlock app-servers activate shop:1\n")


def test_the_way_back_from_nothing_is_nothing(cli, asked):
    asked.on("GET", "/v1/instances/shop", {**SHOP, "active_app_servers": []})
    told = cli("app-servers", "activate", "shop:2").stdout
    assert "  back     liftlock app-servers deactivate shop:2\n" in told


def test_the_wait_tells_what_went_into_service(cli, asked):
    told = cli("app-servers", "activate", "shop:2", "--wait").stdout
    assert "        AppServer 2 is in service\n" in told
    assert "AppServer 2 of shop is in service." in told


def test_an_activation_that_was_turned_back_has_the_exit_code_of_its_job(cli, asked):
    error = {"code": "site-broken", "title": "The site answered wrongly after the switch"}
    asked.on("GET", f"/v1/jobs/{JOB}", job("failed", error=error, **MADE))
    serve_events(asked, events("job.failed"))
    result = cli("app-servers", "activate", "shop:2", "--wait")
    assert result.exit_code == 1
    assert "site-broken" in result.stdout
    assert "  back " not in result.stdout


def test_a_program_gets_the_job_alone(cli, asked):
    result = cli("app-servers", "activate", "shop:2", "--wait", "--json")
    assert json.loads(result.stdout) == job(**MADE)


def test_a_refusal_is_exit_2_with_its_hint(cli, asked):
    hint = "liftlock provision shop"
    refusal = problem(409, code="app-server-unhealthy", title="It does not run", hint=hint)
    asked.on("POST", address("shop:2", "/activate"), refusal)
    result = cli("app-servers", "activate", "shop:2")
    assert result.exit_code == 2
    assert hint in result.stderr


def test_one_is_taken_out_of_service(cli, asked):
    told = cli("app-servers", "deactivate", "shop:2", "--drain", "1").stdout
    assert sent(asked, "deactivate") == [{"drain": 1.0}]
    assert "  back     liftlock app-servers activate shop:2\n" in told


def test_terminating_asks_first(cli, asked):
    silent = cli("app-servers", "terminate", "shop:2")
    assert silent.exit_code == 2
    assert "liftlock app-servers terminate shop:2 --yes" in silent.stderr
    assert sent(asked, "terminate") == []
    assert cli("app-servers", "terminate", "shop:2", "--yes").exit_code == 0
    assert sent(asked, "terminate") == [{}]


def test_what_goes_with_the_data_of_the_site_is_asked_first(cli, asked):
    silent = cli("app-servers", "terminate", "shop:2", "--with-data")
    assert "liftlock app-servers terminate shop:2 --with-data --yes" in silent.stderr
    assert cli("app-servers", "terminate", "shop:2", "--with-data", "--yes").exit_code == 0
    assert sent(asked, "terminate") == [{"with_data": True}]


@pytest.mark.parametrize("verb", ["deactivate", "terminate"])
def test_stating_that_one_is_gone_asks_first(cli, asked, verb):
    silent = cli("app-servers", verb, "shop:2", "--gone", "--reason", "it burned down")
    assert silent.exit_code == 2
    again = f"liftlock app-servers {verb} shop:2 --gone --reason 'it burned down' --yes"
    assert again in silent.stderr
    assert sent(asked, verb) == []


@pytest.mark.parametrize("verb", ["deactivate", "terminate"])
def test_the_statement_has_its_reason(cli, asked, verb):
    gone = ("--gone", "--reason", "it burned down", "--yes")
    told = cli("app-servers", verb, "shop:2", *gone)
    assert (told.exit_code, "back" in told.stdout) == (0, False)
    assert sent(asked, verb) == [{"gone": True, "reason": "it burned down"}]


@pytest.mark.parametrize("verb", ["deactivate", "terminate"])
def test_a_statement_without_a_reason_is_not_sent(cli, asked, verb):
    result = cli("app-servers", verb, "shop:2", "--gone", "--yes")
    assert result.exit_code == 2
    assert "--reason" in result.stderr
    assert sent(asked, verb) == []


def test_what_is_in_service_already_has_no_way_back(cli, api, asked):
    api.on("GET", "/v1/instances/shop", {**SHOP, "active_app_servers": [NEW]})
    assert "back" not in cli("app-servers", "activate", "shop:2").stdout
