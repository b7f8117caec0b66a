"""`liftlock instances`, `secrets`, `recipes`, `tokens` and `identity`."""

import json

import httpx
import pytest

from tests.unit.cli.fake import page, problem

SHOP = {
    "id": "1",
    "name": "shop",
    "recipe": "django@3",
    "repository": "https://git.example/shop.git",
    "revision": "v1",
    "settings": {"WORKERS": "2", "DEBUG": "no"},
    "host": "web-1",
}
CREATE = [
    "instances",
    "create",
    "shop",
    "--recipe",
    "django",
    "--repository",
    "https://git.example/shop.git",
    "--revision",
    "v1",
    "--host",
    "web-1",
]
TOKEN = {"id": "t1", "name": "ci", "scope": "deploy", "prefix": "ll_ab", "token": "ll_abcdef"}
LINE = "ssh-ed25519 AAAAC3Nza liftlock"


def test_an_instance_is_created_with_its_settings_and_secrets(cli, api, tmp_path):
    key = tmp_path / "key"
    key.write_text("-----BEGIN KEY-----\nabc\n-----END KEY-----\n")
    api.on("POST", "/v1/instances", (201, SHOP))
    api.on("PUT", "/v1/instances/shop/secrets/DEPLOY_KEY", (204, None))
    api.on("PUT", "/v1/instances/shop/secrets/PASSWORD", (204, None))
    options = ["--set", "WORKERS=2", "--set", "URL=a=b", "--secret", f"DEPLOY_KEY=@{key}"]
    result = cli(*CREATE, *options, "--secret", "PASSWORD=-", given="open sesame\n")
    assert result.exit_code == 0, result.output
    assert api.sent("POST", "/v1/instances") == [
        {
            "name": "shop",
            "recipe": "django",
            "repository": "https://git.example/shop.git",
            "revision": "v1",
            "settings": {"WORKERS": "2", "URL": "a=b"},
            "host": "web-1",
            "pool": None,
            "provider": None,
        }
    ]
    assert api.sent("PUT", "/v1/instances/shop/secrets/PASSWORD") == [{"value": "open sesame"}]
    sent_key = api.sent("PUT", "/v1/instances/shop/secrets/DEPLOY_KEY")[0]["value"]
    assert sent_key.endswith("-----END KEY-----\n")
    assert "liftlock provision shop" in result.stdout


def test_a_secret_in_the_command_line_is_refused_and_not_repeated(cli, api):
    result = cli(*CREATE, "--secret", "PASSWORD=sesame")
    assert result.exit_code == 2
    assert "--secret PASSWORD=@FILE" in result.stderr
    assert "sesame" not in result.output
    assert api.requests == []


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "WORKERS"],
        ["--set", "A=1", "--set", "A=2"],
        ["--secret", "A=@/no/such/file"],
        ["--secret", "A=-", "--secret", "B=-"],
        ["--secret", "A=-"],
    ],
)
def test_words_that_are_no_pairs_files_or_values_are_refused_before_anything_is_sent(
    cli, api, options
):
    assert cli(*CREATE, *options, given="").exit_code == 2
    assert api.requests == []


def test_a_secret_that_is_refused_leaves_the_instance_and_says_how_to_go_on(cli, api):
    api.on("POST", "/v1/instances", (201, SHOP))
    refusal = problem(422, code="invalid-request", title="Too short")
    api.on("PUT", "/v1/instances/shop/secrets/PASSWORD", refusal)
    result = cli(*CREATE, "--secret", "PASSWORD=-", given="x")
    assert result.exit_code == 2
    assert "liftlock secrets set shop PASSWORD" in result.stderr


def test_an_instance_is_shown_with_its_app_servers(cli, api):
    server = {
        "id": "3",
        "instance": {"id": "1", "name": "shop"},
        "number": 1,
        "status": "running",
        "is_active": True,
        "url": "http://127.0.0.1:20000/",
        "created_at": "2026-01-02T03:04:05Z",
    }
    newest = {"id": "4", "number": 2, "status": "running", "is_active": False}
    standing = {
        "state": "healthy",
        "router": "edge",
        "route": {"version": 4, "applied": 3},
        "active_app_servers": [server],
        "newest_app_server": newest,
    }
    api.on("GET", "/v1/instances/shop", {**SHOP, **standing})
    api.on("GET", "/v1/instances/shop/app-servers", page(server))
    api.on("GET", "/v1/instances/shop/secrets", page({"name": "DEPLOY_KEY"}))
    text = cli("instances", "show", "shop").stdout
    assert "DEPLOY_KEY" in text
    assert "https://git.example/shop.git" in text
    assert "shop:1      ✓       running" in text
    assert "http://127.0.0.1:20000/" in text
    assert "in service           shop:1\n" in text
    assert "being applied" in text
    assert "liftlock app-servers activate shop:2 --wait" in text
    both = json.loads(cli("instances", "show", "shop", "--json").stdout)
    assert both["app_servers"] == [server]


def test_a_router_that_is_behind_is_told_with_what_to_type(cli, api):
    drift = {"at": "2026-11-21T06:00:00Z", "found": "found a, wanted b", "repaired_at": None}
    late = {"behind_since": "2026-11-21T06:00:00Z", "next_try_at": "2026-11-21T06:04:00Z"}
    route = {"version": 4, "applied": 3, "failures": 3, "drift": drift, **late}
    api.on("GET", "/v1/instances/shop", {**SHOP, "router": "edge", "route": route})
    api.on("GET", "/v1/instances/shop/app-servers", page())
    api.on("GET", "/v1/instances/shop/secrets", page())
    text = cli("instances", "show", "shop").stdout
    assert "failed 3 time(s), tried again at 2026-11-21 " in text
    assert "not repaired yet: found a, wanted b" in text
    assert "liftlock routers sync edge" in text


def test_settings_are_changed_one_by_one(cli, api):
    api.on("GET", "/v1/instances/shop", SHOP)
    api.on("PATCH", "/v1/instances/shop", SHOP)
    words = ("instances", "set", "shop", "--set", "WORKERS=4", "--unset", "DEBUG")
    assert cli(*words, "--revision", "v2").exit_code == 0
    assert api.sent("PATCH", "/v1/instances/shop") == [
        {"revision": "v2", "settings": {"WORKERS": "4", "DEBUG": None}}
    ]
    assert cli("instances", "set", "shop", "--domain", "").exit_code == 0
    assert api.sent("PATCH", "/v1/instances/shop")[-1] == {"domain": None}
    assert cli("instances", "set", "shop").exit_code == 2


def test_an_instance_is_deleted_with_its_etag(cli, api):
    api.on("GET", "/v1/instances/shop", SHOP)
    api.on("DELETE", "/v1/instances/shop", (204, None))
    assert cli("instances", "delete", "shop", "--yes").exit_code == 0
    assert api.requests[-1].headers["If-Match"] == 'W/"7"'
    assert cli("instances", "delete", "shop").exit_code == 2


def test_instances_are_listed_with_their_state_and_what_is_in_service(cli, api):
    active = [{"id": "3", "number": 1}, {"id": "4", "number": 2}]
    api.on("GET", "/v1/instances", page({**SHOP, "state": "healthy", "active_app_servers": active}))
    line = cli("instances", "list").stdout.splitlines()[1]
    assert line.split()[:5] == ["shop", "healthy", "shop:1,", "shop:2", "django@3"]


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        (["--host", "web-2"], {"host": "web-2", "pool": None, "provider": None}),
        (["--pool", "web"], {"host": None, "pool": "web", "provider": None}),
        (["--host", ""], {"host": None}),
        (["--router", "edge"], {"router": "edge"}),
        (["--router", ""], {"router": None}),
        (["--label", "disk=ssd"], {"labels": {"disk": "ssd"}}),
        (["--target-count", "3"], {"target_count": 3}),
        (["--retention-days", "7"], {"retention_days": 7}),
        (["--retention-days", "never"], {"retention_days": None}),
        (["--tls", "auto"], {"tls": {"mode": "auto", "certificate": None, "key": None}}),
        (
            ["--tls", "files", "--certificate", "/a.pem", "--key", "/a.key"],
            {"tls": {"mode": "files", "certificate": "/a.pem", "key": "/a.key"}},
        ),
        (["--key", "/b.key"], {"tls": {"key": "/b.key"}}),
    ],
)
def test_where_a_site_lives_and_how_it_is_reached_is_changed(cli, api, options, patch):
    api.on("GET", "/v1/instances/shop", SHOP)
    api.on("PATCH", "/v1/instances/shop", SHOP)
    assert cli("instances", "set", "shop", *options).exit_code == 0
    assert api.sent("PATCH", "/v1/instances/shop") == [patch]


@pytest.mark.parametrize(
    "options",
    [["--host", "web-1", "--pool", "web"], ["--retention-days", "soon"], ["--label", "disk"]],
)
def test_what_does_not_go_together_is_refused_before_anything_is_sent(cli, api, options):
    assert cli("instances", "set", "shop", *options).exit_code == 2
    assert api.requests == []


def test_a_secret_is_set_from_standard_input_or_a_file_and_never_shown(cli, api, tmp_path):
    address = "/v1/instances/shop/secrets/PASSWORD"
    api.on("PUT", address, (204, None))
    first = cli("secrets", "set", "shop", "PASSWORD", given="open sesame\n")
    file = tmp_path / "password"
    file.write_text("sesame two\r\n")
    second = cli("secrets", "set", "shop", "PASSWORD", "--file", str(file))
    assert api.sent("PUT", address) == [{"value": "open sesame"}, {"value": "sesame two"}]
    assert "sesame" not in first.output + second.output


def test_a_secret_is_asked_for_without_echo_at_a_keyboard(cli, api):
    cli.interactive = True
    api.on("PUT", "/v1/instances/shop/secrets/PASSWORD", (204, None))
    result = cli("secrets", "set", "shop", "PASSWORD", given="open sesame\n")
    assert result.exit_code == 0
    assert "sesame" not in result.output
    assert api.sent("PUT", "/v1/instances/shop/secrets/PASSWORD") == [{"value": "open sesame"}]


def test_secrets_are_listed_and_deleted_by_name(cli, api):
    api.on("GET", "/v1/instances/shop/secrets", page({"name": "A", "updated_at": "2026-01-02"}))
    api.on("DELETE", "/v1/instances/shop/secrets/A", (204, None))
    assert "A" in cli("secrets", "list", "shop").stdout
    assert cli("secrets", "delete", "shop", "A").exit_code == 0


def test_a_recipe_is_pushed_as_it_is(cli, api, tmp_path):
    file = tmp_path / "shop.yaml"
    file.write_bytes("name: shop  # Größe\n".encode())
    recipe = {"name": "shop", "version": 1, "source": "name: shop\n"}
    api.on("POST", "/v1/recipes", (201, recipe), (200, recipe))
    first = cli("recipes", "push", str(file))
    assert "version 1." in first.stdout
    assert api.requests[0].content == file.read_bytes()
    assert api.requests[0].headers["Content-Type"] == "application/yaml"
    assert "unchanged" in cli("recipes", "push", "-", given=file.read_bytes()).stdout
    assert cli("recipes", "push", str(tmp_path / "none.yaml")).exit_code == 2


def test_the_errors_of_a_recipe_name_line_and_key(cli, api):
    error = {"pointer": "/chek", "line": 7, "detail": "unknown key; did you mean `check`?"}
    refusal = problem(422, code="invalid-recipe", title="The recipe is not valid", errors=[error])
    api.on("POST", "/v1/recipes", refusal)
    result = cli("recipes", "push", "-", given="chek: {}\n")
    assert result.exit_code == 2
    assert "/chek (line 7): unknown key" in result.stderr


def test_a_recipe_is_printed_as_it_was_pushed(cli, api):
    api.on("GET", "/v1/recipes/shop", {"name": "shop", "version": 2, "source": "name: two\n"})
    old = {"name": "shop", "version": 1, "source": "name: one\n"}
    api.on("GET", "/v1/recipes/shop/versions/1", old)
    assert cli("recipes", "show", "shop").stdout == "name: two\n"
    assert cli("recipes", "show", "shop@1").stdout == "name: one\n"
    assert json.loads(cli("recipes", "show", "shop@1", "--json").stdout) == old
    api.on("GET", "/v1/recipes", page(old))
    assert "shop" in cli("recipes", "list").stdout


def test_a_new_token_is_alone_on_standard_output(cli, api):
    api.on("POST", "/v1/tokens", (201, TOKEN))
    for quiet in ([], ["--quiet"]):
        result = cli("tokens", "create", "ci", "--expires-in-days", "90", *quiet)
        assert result.stdout == "ll_abcdef\n"
    assert api.sent("POST", "/v1/tokens")[0] == {
        "name": "ci",
        "scope": "deploy",
        "expires_in_days": 90,
    }


def test_tokens_are_listed_and_revoked(cli, api):
    api.on("GET", "/v1/tokens", page({**TOKEN, "token": None}))
    api.on("DELETE", "/v1/tokens/t1", (204, None))
    assert "ll_ab" in cli("tokens", "list").stdout
    assert cli("tokens", "revoke", "t1").exit_code == 0


def test_the_identity_is_a_line_that_can_be_piped(cli, api, tmp_path):
    identity = {"authorized_keys": LINE, "fingerprint": "SHA256:abc"}
    api.on("GET", "/v1/identity", identity)
    shown = cli("identity", "show")
    assert shown.stdout == f"{LINE}\n"
    assert "SHA256:abc" in shown.stderr
    key = tmp_path / "id"
    key.write_text("PRIVATE\n")
    api.on("PUT", "/v1/identity", identity)
    assert cli("identity", "import", str(key)).stdout == f"{LINE}\n"
    assert api.sent("PUT", "/v1/identity") == [{"private_key": "PRIVATE\n"}]


def test_rotating_the_identity_asks_first(cli, api):
    api.on("POST", "/v1/identity/rotate", {"authorized_keys": LINE, "fingerprint": "SHA256:abc"})
    assert cli("identity", "rotate").exit_code == 2
    assert api.requests == []
    assert cli("identity", "rotate", "--yes").stdout == f"{LINE}\n"


def test_a_file_that_is_no_text_is_refused(cli, api, tmp_path):
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe")
    assert cli("identity", "import", str(file)).exit_code == 2


def test_a_list_that_never_ends_is_not_followed_for_ever(cli, api):
    api.on("GET", "/v1/instances", httpx.Response(200, json=page(after="again")))
    assert cli("instances", "list").exit_code == 0
    assert len(api.requests) <= 1_000
