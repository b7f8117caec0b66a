"""The command line as a process, against a real API and worker, and a demo host."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import sites
from tests.support.machines import Machine, demo_machine
from tests.support.stack import Stack, eventually

ROOT = Path(__file__).parents[3]
Liftlock = Callable[..., "subprocess.CompletedProcess[str]"]


def words(stack: Stack, *rest: str) -> dict:
    environment = os.environ | {"LIFTLOCK_URL": stack.url, "LIFTLOCK_TOKEN": stack.token}
    argv = [sys.executable, "-m", "app.cli.main", *rest]
    return {"args": argv, "env": environment, "cwd": ROOT, "text": True}


@pytest.fixture
def liftlock(stack: Stack) -> Liftlock:
    def run(*rest: str, given: str = "", code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            **words(stack, *rest), input=given, capture_output=True, timeout=55, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr + stack.logs()
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> str:
    return sites.repository(tmp_path_factory.mktemp("sites") / "page", "shown by the test")


@pytest.fixture(scope="module")
def new_machine(stack: Stack, tmp_path_factory):
    """A machine that Liftlock does not know yet."""
    name = f"cli-{os.urandom(3).hex()}"
    yield from demo_machine(stack, name, tmp_path_factory.mktemp("cli"))


@pytest.fixture
def instance(liftlock: Liftlock, repository: str, demo_host: Machine) -> str:
    name = f"page-{os.urandom(3).hex()}"
    where = ("--repository", repository, "--revision", "v1", "--host", demo_host.name)
    command = f"START_COMMAND={sites.SERVE}"
    liftlock("instances", "create", name, "--recipe", "command", *where, "--set", command)
    return name


def test_a_host_is_added_enrolled_changed_and_forgotten(liftlock, new_machine):
    name = new_machine.name
    place = ("127.0.0.1", "--port", str(new_machine.port), "--user", "demo")
    liftlock("hosts", "add", name, *place, "--ports", "29000-29010")
    told = liftlock("hosts", "enroll", name, code=2).stderr
    fingerprint = told.rpartition("--fingerprint ")[2].split()[0]
    liftlock("hosts", "enroll", name, "--fingerprint", "SHA256:" + "A" * 43, code=2)
    liftlock("hosts", "enroll", name, "--fingerprint", fingerprint)
    shown = json.loads(liftlock("hosts", "show", name, "--json").stdout)
    assert (shown["enrolled"], shown["fingerprint"]) == (True, fingerprint)
    liftlock("hosts", "set", name, "--capacity", "5", "--label", "rack=2")
    changed = json.loads(liftlock("hosts", "show", name, "--json").stdout)
    assert (changed["capacity"], changed["labels"]) == (5, {"rack": "2"})
    assert name in liftlock("hosts", "list").stdout
    liftlock("hosts", "delete", name, "--yes")
    liftlock("hosts", "show", name, code=2)


def test_a_host_that_is_not_there_cannot_be_enrolled(liftlock):
    name = f"gone-{os.urandom(3).hex()}"
    liftlock("hosts", "add", name, "127.0.0.1", "--port", "1", "--user", "demo")
    failed = liftlock("hosts", "enroll", name, "--yes", code=1)
    assert "hint" in failed.stderr
    assert liftlock("jobs", "list", "--kind", "enroll", "--status", "failed").stdout


def test_a_site_is_provisioned_with_progress_and_its_job_can_be_read(liftlock, instance):
    done = liftlock("provision", instance, "--wait")
    assert f"{instance} v1 runs on" in done.stdout
    assert "/" in done.stdout.partition("[1")[2][:4]
    job = json.loads(liftlock("jobs", "list", "--instance", instance, "--json").stdout)[0]
    assert job["status"] == "succeeded"
    logs = liftlock("jobs", "logs", "-f", job["id"])
    assert logs.stdout.rstrip().endswith("Succeeded")
    events = liftlock("jobs", "logs", job["id"], "--json").stdout.splitlines()
    numbers = [json.loads(line)["seq"] for line in events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "succeeded" in liftlock("jobs", "show", job["id"]).stdout
    assert "running" in liftlock("instances", "show", instance).stdout
    assert liftlock("jobs", "wait", job["id"], "--json").stdout


def test_a_dry_run_shows_the_commands_and_changes_nothing(liftlock, instance):
    plan = liftlock("provision", instance, "--dry-run").stdout
    assert "   | " in plan
    shown = json.loads(liftlock("instances", "show", instance, "--json").stdout)
    assert shown["app_servers"] == []


def test_a_revision_that_does_not_exist_fails_the_wait_with_exit_1(liftlock, instance):
    done = liftlock("provision", instance, "--revision", "v99", "--wait", code=1)
    assert "revision-not-found" in done.stdout
    assert "liftlock jobs logs" in done.stdout


def test_interrupting_the_wait_leaves_the_job_to_finish(stack, liftlock, instance):
    waiting = subprocess.Popen(
        **words(stack, "provision", instance, "--wait"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A run in the background ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline().startswith("Job ")
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=20)
    assert waiting.returncode == 130
    job_id = told.split()[-1]
    liftlock("jobs", "wait", job_id)


def test_a_site_without_static_files_has_no_asset_release(liftlock, instance):
    assert liftlock("assets", "list", instance).stderr == "It has no such asset release.\n"
    assert json.loads(liftlock("assets", "list", instance, "--json").stdout) == []
    told = liftlock("assets", "show", instance, "v1-1", code=2).stderr
    assert f"Instance {instance} has no asset release 'v1-1'." in told
    assert f"liftlock assets list {instance}" in told


def test_settings_and_secrets_are_set_and_taken_away(liftlock, instance):
    liftlock("instances", "set", instance, "--set", "CHECK_PATH=/index.html")
    liftlock("instances", "set", instance, "--unset", "CHECK_PATH", "--domain", "shop.example")
    shown = json.loads(liftlock("instances", "show", instance, "--json").stdout)
    assert "CHECK_PATH" not in shown["settings"]
    assert shown["domain"] == "shop.example"
    liftlock("secrets", "set", instance, "PASSWORD", given="open sesame")
    assert "PASSWORD" in liftlock("secrets", "list", instance).stdout
    liftlock("secrets", "delete", instance, "PASSWORD")
    refused = liftlock("secrets", "set", instance, "PASSWORD", given="short", code=2)
    assert "/value" in refused.stderr
    liftlock("instances", "delete", instance, "--yes")


def test_recipes_are_pushed_once_and_read_back(liftlock, tmp_path):
    name = f"plain-{os.urandom(3).hex()}"
    file = tmp_path / "plain.yaml"
    text = f"# A comment\nname: {name}\nstart:\n  run: exec true\ncheck:\n  path: /\n"
    file.write_text(text)
    assert "version 1." in liftlock("recipes", "push", str(file)).stdout
    assert "unchanged" in liftlock("recipes", "push", "-", given=text).stdout
    assert liftlock("recipes", "show", f"{name}@1").stdout == text
    wrong = liftlock("recipes", "push", "-", given=text + "chek: {}\n", code=2)
    assert "line 7" in wrong.stderr
    assert "chek" in wrong.stderr
    assert name in liftlock("recipes", "list").stdout


def test_a_token_works_until_it_is_revoked(stack, liftlock):
    token = liftlock("tokens", "create", "brief", "--scope", "read", "--quiet").stdout.strip()
    liftlock("hosts", "list", "--token", token)
    refused = liftlock("tokens", "list", "--token", token, code=2)
    assert "forbidden" in refused.stderr
    listed = json.loads(liftlock("tokens", "list", "--json").stdout)
    number = next(item["id"] for item in listed if token.startswith(item["prefix"]))
    liftlock("tokens", "revoke", number)
    liftlock("hosts", "list", "--token", token, code=2)


def test_the_identity_is_one_line(liftlock):
    assert liftlock("identity", "show").stdout.startswith("ssh-ed25519 ")


def test_following_a_job_survives_the_api_going_away(stack, liftlock, instance):
    api = next(process for process in stack.processes if "app.main" in process.args)
    liftlock("instances", "set", instance, "--set", "BUILD_COMMAND=sleep 3; echo built")
    job = json.loads(liftlock("provision", instance, "--json").stdout)
    following = subprocess.Popen(
        **words(stack, "jobs", "logs", "-f", job["id"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert following.stdout is not None
    first = following.stdout.readline()
    api.terminate()
    api.wait(20)
    stack.processes.remove(api)
    stack.start("api", "app.main")
    rest, told = following.communicate(timeout=50)
    assert following.returncode == 0, told
    assert first.startswith("Queued")
    assert rest.count("built\n") == 1
    assert rest.rstrip().endswith("Succeeded")
    eventually(lambda: liftlock("jobs", "show", job["id"]) or None, "the API", seconds=20)
