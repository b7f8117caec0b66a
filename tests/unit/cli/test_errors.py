"""Every way a command can end badly: a sentence, a hint and an exit code, never a traceback."""

import json

import httpx
import pytest

from app.cli import main
from tests.unit.cli.fake import page, problem


def test_an_api_that_does_not_answer_is_exit_5_and_says_how_to_start_it(cli, api):
    api.on("GET", "/v1/hosts", httpx.ConnectError("Connection refused"))
    result = cli("hosts", "list")
    assert result.exit_code == 5
    assert "Liftlock does not answer at http://lock.test." in result.stderr
    assert "liftlock up" in result.stderr
    assert "LIFTLOCK_URL" in result.stderr


def test_a_problem_is_shown_whole_and_is_exit_2(cli, api):
    refusal = problem(
        422,
        code="invalid-request",
        title="The request is not valid",
        detail="Two things are wrong.",
        errors=[
            {"pointer": "/name", "detail": "The name is too long."},
            {"pointer": "/settings/DEBUG", "detail": "wants a bool"},
        ],
        hint="List them: liftlock hosts list",
        docs="docs/errors.md#invalid-request",
        request_id="0198-request",
    )
    api.on("POST", "/v1/hosts", refusal)
    result = cli("hosts", "add", "web-1", "192.0.2.10")
    assert result.exit_code == 2
    for part in (
        "The request is not valid",
        "Two things are wrong.",
        "/name: The name is too long.",
        "/settings/DEBUG: wants a bool",
        "invalid-request",
        "liftlock hosts list",
        "docs/errors.md#invalid-request",
        "0198-request",
    ):
        assert part in result.stderr
    assert result.stdout == ""


def test_with_json_the_problem_document_itself_goes_to_the_error_stream(cli, api):
    api.on("GET", "/v1/hosts/web-9", problem(404, code="not-found", title="No", request_id="r1"))
    result = cli("hosts", "show", "web-9", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert json.loads(result.stderr)["request_id"] == "r1"


@pytest.mark.parametrize(
    ("status", "code"), [(401, 2), (403, 2), (404, 2), (409, 2), (422, 2), (500, 1), (503, 5)]
)
def test_the_exit_code_tells_a_refusal_from_a_mistake_and_from_silence(cli, api, status, code):
    api.on("GET", "/v1/hosts", problem(status, code="some-code", title="Some title"))
    assert cli("hosts", "list").exit_code == code


def test_without_a_token_the_hint_says_how_to_give_one(cli, api):
    cli.env = {"LIFTLOCK_URL": "http://lock.test", "LIFTLOCK_TOKEN": None}
    api.on("GET", "/v1/hosts", problem(401, code="unauthorized", title="A token is needed"))
    assert "LIFTLOCK_TOKEN" in cli("hosts", "list").stderr
    assert "Authorization" not in api.requests[0].headers


def test_an_error_page_of_a_proxy_is_named_by_its_status(cli, api):
    api.on("GET", "/v1/hosts", httpx.Response(502, text="<html>Bad gateway</html>"))
    result = cli("hosts", "list")
    assert result.exit_code == 5
    assert "HTTP 502" in result.stderr


def test_another_server_at_the_url_is_noticed(cli, api):
    api.on("GET", "/v1/hosts", httpx.Response(200, text="<html>Welcome</html>"))
    result = cli("hosts", "list")
    assert result.exit_code == 5
    assert "is not Liftlock" in result.stderr


def test_a_hostile_message_cannot_steer_the_terminal(cli, api):
    hostile = "\x1b]0;owned\x07[bold]\x1b[2J not markup[/bold]"
    api.on("GET", "/v1/hosts", problem(409, code="conflict", title=hostile, detail=hostile))
    result = cli("hosts", "list")
    assert "\x1b" not in result.stderr
    assert "[bold] not markup[/bold]" in result.stderr


@pytest.mark.parametrize("url", ["localhost:8700", "ftp://lock.test", "http://", "http://[::1"])
def test_a_url_that_is_none_is_refused_before_anything_is_sent(cli, api, url):
    result = cli("hosts", "list", "--url", url)
    assert result.exit_code == 2
    assert "LIFTLOCK_URL" in result.stderr
    assert api.requests == []


def test_a_token_with_a_line_end_is_trimmed_and_one_with_rubbish_refused(cli, api):
    api.on("GET", "/v1/hosts", page())
    assert cli("hosts", "list", "--token", "ll_token\n").exit_code == 0
    assert api.requests[0].headers["Authorization"] == "Bearer ll_token"
    result = cli("hosts", "list", "--token", "schlüssel-wort")
    assert result.exit_code == 2
    assert "schlüssel-wort" not in result.output


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_refused(cli, api, name):
    assert cli("hosts", "show", name).exit_code == 2
    assert api.requests == []


def test_names_are_quoted_in_the_path(cli, api):
    api.on("GET", "/v1/hosts/a%2Fb%3Fc", {"name": "a/b?c"})
    assert cli("hosts", "show", "a/b?c").exit_code == 0


def test_global_options_may_stand_anywhere(cli, api):
    api.on("GET", "/v1/hosts", page())
    for words in (
        ("--json", "hosts", "list"),
        ("hosts", "--json", "list"),
        ("hosts", "list", "--json", "--url=http://lock.test", "--token", "ll_other"),
    ):
        result = cli(*words)
        assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert api.requests[-1].headers["Authorization"] == "Bearer ll_other"


def test_a_mistyped_command_is_exit_2(cli):
    assert cli("hosts", "lst").exit_code == 2
    assert cli("hosts", "add").exit_code == 2
    assert cli("jobs", "list", "--status", "done").exit_code == 2
    assert cli("--url").exit_code == 2


def test_a_mistake_of_the_program_itself_is_one_sentence(monkeypatch, capsys):
    def mistake(**_):
        raise ZeroDivisionError("by zero")

    monkeypatch.delenv("LIFTLOCK_TRACEBACK", raising=False)
    monkeypatch.setattr(main, "app", mistake)
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError: by zero" in told
    assert "LIFTLOCK_TRACEBACK=1" in told
    assert "Traceback (most" not in told


def test_the_version_is_printed(cli):
    assert cli("version").stdout.strip()
    assert set(json.loads(cli("version", "--json").stdout)) == {"version"}
