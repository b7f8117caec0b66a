"""What goes wrong on hosts: the job says it, the host is clean, and the next job works."""

import os
import secrets
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support import sites
from tests.support.machines import demo_machine, register
from tests.support.stack import free_port

QUICK = """
name: quick
settings:
  BUILD: {default: "true"}
  START: {required: true}
preflight:
  disk_mb: 1
build:
  - name: build
    timeout: 3
    run: eval "$BUILD"
start:
  env_file: true
  run: eval "$START"
stop: {timeout: 2}
check: {path: /, tries: 16, every: 0.25}
"""

GREEDY = QUICK.replace("name: quick", "name: greedy").replace("disk_mb: 1", "disk_mb: 9999999")


@pytest.fixture(scope="module")
def recipes(stack):
    with stack.api as api:
        for source in (QUICK, GREEDY):
            headers = {"Content-Type": "application/yaml"}
            answer = api.post("/v1/recipes", content=source, headers=headers)
            assert answer.status_code in {200, 201}, answer.text


@pytest.fixture
def site(stack, recipes, tmp_path):
    """Make an instance of a small site; its name."""
    repository = sites.repository(tmp_path / "site")

    def make(host, recipe="quick", **settings):
        name = f"bad-{secrets.token_hex(4)}"
        body = {
            "name": name,
            "recipe": recipe,
            "repository": repository,
            "revision": "v1",
            "host": host.name,
            "settings": {"START": sites.SERVE, **settings},
        }
        with stack.api as api:
            answer = api.post("/v1/instances", json=body)
            assert answer.status_code == 201, answer.text
        return name

    return make


def change(stack, name, **settings):
    with stack.api as api:
        etag = api.get(f"/v1/instances/{name}").headers["ETag"]
        answer = api.patch(
            f"/v1/instances/{name}", json={"settings": settings}, headers={"If-Match": etag}
        )
        assert answer.status_code == 200, answer.text


def check_failed(stack, machine, job, *, code, step, status):
    """The whole promise about a failed job but its message, which each test checks."""
    assert job["status"] == "failed"
    assert (job["error"]["code"], job["error"]["step"]) == (code, step)
    assert all(job["error"][key] for key in ("title", "detail", "hint", "docs"))
    assert job["app_server"]["status"] == status
    stack.events(job)
    steps = machine.base / "steps"
    assert [path.name for path in steps.glob(f"{job['id']}*")] == []
    assert machine.processes(job["id"]) == []


def check_the_next_job_works(stack, name, **settings):
    change(stack, name, **settings)
    job = stack.run(instance=name)
    assert job["status"] == "succeeded", job["error"]


def test_a_build_command_that_exits_1(stack, machine, site):
    name = site(machine, BUILD="echo compiling; echo no such module >&2; exit 1")
    job = stack.run(instance=name)
    check_failed(stack, machine, job, code="step-failed", step="build-build", status="failed")
    assert "no such module" in job["error"]["detail"]
    assert machine.name in job["error"]["detail"]
    check_the_next_job_works(stack, name, BUILD="true")


def test_a_build_that_prints_100_megabytes(stack, machine, site):
    name = site(machine, BUILD="head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo THE END")
    job = stack.run(instance=name)
    assert job["status"] == "succeeded", job["error"]
    kept = stack.output(job)
    assert len(kept) < 3_000_000
    assert "truncated" in kept or "left out" in kept


def test_a_build_that_prints_invalid_utf_8_and_zero_bytes(stack, machine, site):
    name = site(machine, BUILD=r"printf 'caf\351 \000 \360\237 done\n'")
    job = stack.run(instance=name)
    assert job["status"] == "succeeded", job["error"]
    assert "caf\ufffd" in stack.output(job)


def test_a_build_that_never_ends_is_stopped_with_all_its_processes(stack, machine, site):
    marker = f"never-{secrets.token_hex(6)}"
    build = f"MARK={marker}; export MARK; trap '' TERM; setsid sleep 3600 & sleep 3600"
    name = site(machine, BUILD=build)
    job = stack.run(instance=name)
    check_failed(stack, machine, job, code="step-timeout", step="build-build", status="failed")
    assert machine.processes(marker) == []
    check_the_next_job_works(stack, name, BUILD="true")


def test_a_start_command_that_dies_after_two_seconds(stack, machine, site):
    name = site(machine, START="echo about to die; sleep 2; exit 7")
    job = stack.run(instance=name)
    check_failed(stack, machine, job, code="start-failed", step="check", status="failed")
    assert "about to die" in stack.output(job)
    check_the_next_job_works(stack, name, START=sites.SERVE)


def test_a_site_that_answers_with_an_error(stack, machine, site):
    wrong = (
        'exec python3 -c \'import http.server, os; http.server.HTTPServer((os.environ["BIND"],'
        ' int(os.environ["PORT"])), http.server.BaseHTTPRequestHandler).serve_forever()\''
    )
    name = site(machine, START=wrong)
    job = stack.run(instance=name)
    check_failed(stack, machine, job, code="check-failed", step="check", status="failed")
    assert "501" in job["error"]["detail"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", job["app_server"]["port"]), 1)


def test_a_port_that_another_program_uses(stack, machine, site):
    name = site(machine)
    with stack.api as api:
        first = api.get(f"/v1/hosts/{machine.name}").json()
    dry = stack.run(instance=name, dry_run=True)
    with stack.api as api:
        plan = api.get(f"/v1/jobs/{dry['id']}/plan").json()["items"]
    port = next(step["port"] for step in plan if step["action"] == "port-free")
    assert first["port_first"] <= port <= first["port_last"]
    with socket.create_server(("127.0.0.1", port)):
        job = stack.run(instance=name)
    check_failed(stack, machine, job, code="port-in-use", step="port-free", status="failed")
    assert str(port) in job["error"]["detail"] + job["error"]["title"]
    again = stack.run(instance=name)
    assert again["status"] == "succeeded", again["error"]
    assert again["app_server"]["port"] != port


@pytest.mark.parametrize("revision", ["v99", "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"])
def test_a_revision_that_does_not_exist(stack, machine, site, revision):
    name = site(machine)
    job = stack.run(instance=name, revision=revision)
    check_failed(stack, machine, job, code="revision-not-found", step="fetch", status="failed")
    assert revision in job["error"]["detail"]
    check_the_next_job_works(stack, name, BUILD="true")


def test_a_repository_that_does_not_exist(stack, machine, site, tmp_path):
    name = site(machine)
    shutil.rmtree(tmp_path / "site")
    job = stack.run(instance=name)
    check_failed(stack, machine, job, code="repository-unreachable", step="fetch", status="failed")


def test_a_host_with_too_little_disk(stack, machine, site):
    name = site(machine, recipe="greedy")
    job = stack.run(instance=name)
    check_failed(stack, machine, job, code="disk-full", step="disk", status="error")
    assert "9999999" in job["error"]["detail"].replace(",", "")


def test_a_host_that_is_down(stack, machine, site):
    name = site(machine)
    gone = f"gone-{secrets.token_hex(3)}"
    with stack.api as api:
        host = {
            "name": gone,
            "address": "127.0.0.1",
            "port": free_port(),
            "user": machine.user,
            "host_key": machine.host_key,
        }
        assert api.post("/v1/hosts", json=host).status_code == 201
    job = stack.run(instance=name, host=gone)
    assert (job["status"], job["error"]["code"]) == ("failed", "host-unreachable")
    assert job["app_server"]["status"] == "error"
    with stack.api as api:
        assert api.get(f"/v1/hosts/{gone}").json()["status"] == "unreachable"
    assert stack.run(instance=name)["status"] == "succeeded"


def test_a_host_whose_key_changed_is_never_trusted(stack, machine, site):
    name = site(machine)
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
    changed = f"changed-{secrets.token_hex(3)}"
    with stack.api as api:
        host = {
            "name": changed,
            "address": "127.0.0.1",
            "port": machine.port,
            "user": machine.user,
            "host_key": other,
        }
        assert api.post("/v1/hosts", json=host).status_code == 201
    job = stack.run(instance=name, host=changed)
    assert (job["status"], job["error"]["code"]) == ("failed", "host-key-changed")
    assert job["error"]["detail"].count("SHA256:") == 2


@pytest.fixture
def small_machine(stack, tmp_path, monkeypatch):
    """A demo host whose programs are few: the folder that is its PATH."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in (Path(part) for part in os.environ["PATH"].split(":")):
        for program in folder.iterdir() if folder.is_dir() else ():
            if not program.name.startswith("git") and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tools))
        machines = demo_machine(stack, f"small-{secrets.token_hex(3)}", tmp_path)
        machine = next(machines)
    register(stack, machine)
    yield machine
    machines.close()


def test_a_host_without_git(stack, small_machine, site):
    name = site(small_machine)
    job = stack.run(instance=name)
    check_failed(stack, small_machine, job, code="tool-missing", step="tools", status="error")
    assert "git" in job["error"]["detail"]
    assert "install" in job["error"]["hint"]


def test_a_host_that_refuses_the_key(stack, site, tmp_path):
    for machine in demo_machine(stack, f"strict-{secrets.token_hex(3)}", tmp_path):
        register(stack, machine)
        (machine.home / ".ssh" / "authorized_keys").write_text("")
        name = site(machine)
        job = stack.run(instance=name)
        assert (job["status"], job["error"]["code"]) == ("failed", "ssh-auth-failed")
        assert "authorized_keys" in job["error"]["hint"]
        assert job["app_server"]["status"] == "error"


@pytest.mark.root
def test_a_disk_that_fills_up_while_the_site_is_built(stack, site, tmp_path):
    for machine in demo_machine(stack, f"tiny-{secrets.token_hex(3)}", tmp_path):
        machine.base.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", machine.base], check=True)
        try:
            register(stack, machine)
            name = site(machine, BUILD='head -c 9000000 /dev/zero > "$RELEASE_DIR/big"')
            job = stack.run(instance=name)
            assert job["status"] == "failed"
            assert job["error"]["code"] == "disk-full", job["error"]["detail"]
            (machine.base / "apps" / name / "releases" / "v1-1" / "big").unlink()
            check_the_next_job_works(stack, name, BUILD="true")
        finally:
            job_servers = [p for p in machine.processes(str(machine.base)) if p != os.getpid()]
            for pid in job_servers:
                os.kill(pid, 9)
            subprocess.run(["umount", "-l", machine.base], check=True)
