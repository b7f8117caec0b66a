"""The commands that publish, verify, list and collect: answers, refusals and exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.support.built_folders import hashed, write_built
from worker.assets.__main__ import main
from worker.assets.cli import store_commands
from worker.assets.problem import Problem
from worker.assets.publishing.checking import hint_of

SECRET = "s3cr3t"


@pytest.fixture
def run(tmp_path):
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    store_commands.register(app)
    write_built(tmp_path / "dist", {"a.css": b"a{}", "b.js": b"1;"})
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_commands_publish_list_verify_and_collect(run, tmp_path):
    store = (tmp_path / "store").as_uri()
    published = run("publish", tmp_path / "dist", store, "--revision", "r1", "--json")
    assert json.loads(published.stdout)["new"] == 2
    again = run("publish", tmp_path / "dist", store, "--revision", "r1")
    assert again.stdout == "release r1 is there already: 2 files, nothing was put\n"
    listed = json.loads(run("releases", store, "--json").stdout)
    assert [each["revision"] for each in listed["releases"]] == ["r1"]
    assert run("verify", store, "--revision", "r1").stdout == "2 files of r1 are as published\n"
    swept = run("collect-garbage", store, "--keep", "r1", "--grace", "0", "--dry-run")
    assert swept.stdout == "would remove 0 releases (1 kept) and 0 files of 0.0 MB\n"


def test_a_damaged_release_fails_the_command_and_names_the_file(run, tmp_path):
    store = tmp_path / "store"
    run("publish", tmp_path / "dist", store.as_uri(), "--revision", "r1")
    name = hashed("a.css", b"a{}")
    (store / name).write_bytes(b"b{}")
    failed = run("verify", store.as_uri(), "--revision", "r1", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["problems"][0]["file"] == name


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (["object-missing"], "Publish the same folder again"),
        (["object-missing", "damaged-object"], "Remove what is damaged"),
        (["damaged-object", "name-taken"], "Leave it"),
        (["not-served", "altered"], "server or the CDN"),
    ],
)
def test_what_to_do_fits_what_a_check_has_found(codes, words):
    assert words in hint_of([Problem(code, "why") for code in codes])


def test_files_can_be_asked_for_elsewhere_than_the_manifest(run, tmp_path):
    store = (tmp_path / "store").as_uri()
    run("publish", tmp_path / "dist", store, "--revision", "r1")
    failed = run("verify", store, "--revision", "r1", "--base-url", "/static/", "--json")
    told = json.loads(failed.stdout)
    assert told["problems"][0]["code"] == "bad-base-url"
    assert "https://static.example/" in told["hint"]


@pytest.mark.parametrize(
    "place",
    [
        f"http://user:{SECRET}@127.0.0.1:1/",
        f"http://127.0.0.1:1/?X-Amz-Signature={SECRET}",
        f"HTTPS://user:{SECRET}@127.0.0.1:1/",
        f"https:user:{SECRET}@127.0.0.1:1/",
    ],
)
def test_a_secret_in_a_url_that_is_to_be_verified_is_not_repeated(run, place):
    for words in ([place], ["file:///", "--base-url", place]):
        failed = run("verify", *words, "--revision", "r1")
        assert failed.exit_code == 1
        assert SECRET not in failed.stdout + failed.stderr


def test_a_secret_in_a_base_url_is_not_repeated(run, tmp_path):
    store = (tmp_path / "store").as_uri()
    run("publish", tmp_path / "dist", store, "--revision", "r1")
    url = f"http://user:{SECRET}@127.0.0.1:1/"
    failed = run("verify", store, "--revision", "r1", "--base-url", url)
    assert failed.exit_code == 1
    assert SECRET not in failed.stdout + failed.stderr


@pytest.mark.parametrize("hours", ["inf", "nan", "1e300", "-1"])
def test_a_grace_that_is_no_time_is_a_wrong_command_line(run, tmp_path, hours):
    swept = run("collect-garbage", tmp_path.as_uri(), "--grace", hours)
    assert swept.exit_code == 2
    assert "0 to 876000" in swept.stderr


def test_a_refusal_has_no_control_characters(run, tmp_path):
    refused = run("releases", "file:///no\x1b[31m\nsuch")
    assert "\\x1b[31m\\nsuch" in refused.stderr
    assert "\x1b" not in refused.stderr


@pytest.mark.parametrize(
    "words", [["verify"], ["verify", "--revision"], ["publish", "--nope"], ["nope"], []]
)
def test_a_wrong_command_line_is_told_in_json_to_who_asked_for_it(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 2
    assert (told["ok"], told["problems"][0]["code"]) == (False, "usage")
    assert told["hint"]


def test_an_interrupted_command_is_told_in_json_to_who_asked_for_it(capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(store_commands, "open_store", interrupt)
    with pytest.raises(SystemExit) as ended:
        main(["releases", "file:///", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 130
    assert (told["ok"], told["problems"][0]["code"]) == (False, "interrupted")


@pytest.mark.parametrize("command", [["build", "dist", "out"], ["releases", "file:///", "--json"]])
def test_an_answer_that_nobody_hears_is_no_traceback(tmp_path, command):
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "a.css").write_bytes(b"a{}")
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", "worker.assets", *command]
    told = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        argv, cwd=tmp_path, env=told, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_refusal_goes_to_standard_error_with_what_to_do(run, tmp_path):
    refused = run("publish", tmp_path, (tmp_path / "store").as_uri(), "--revision", "r1")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "error:" in refused.stderr
    assert "python -m worker.assets build" in refused.stderr


@pytest.mark.parametrize("command", ["publish", "verify", "releases", "collect-garbage"])
def test_every_command_has_help_with_examples(run, command):
    told = run(command, "--help").stdout
    assert re.search(rf"Examples:\n +python -m worker.assets {command}", told)
