"""A person at night: who is in the way, is it alive, take its lock away, and the next one runs."""

import os
import secrets
import subprocess
import sys

import pytest

from tests.support import sites
from tests.support.postgres import ROOT
from tests.support.stack import eventually

#: Says what it does, and ends when it is let go.
BUILD = 'echo "waiting for $SHARED_DIR/go"; until [ -e "$SHARED_DIR/go" ]; do sleep 0.1; done'


@pytest.fixture
def site(stack, machine, tmp_path):
    """An instance whose build ends when it is let go: its name, and how to let it go."""
    name = f"held-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "recipe": "command",
        "repository": sites.repository(tmp_path / "site"),
        "revision": "v1",
        "host": machine.name,
        "settings": {"START_COMMAND": sites.SERVE, "BUILD_COMMAND": BUILD},
    }
    with stack.api as api:
        api.post("/v1/instances", json=body).raise_for_status()
    go = machine.base / "apps" / name / "shared" / "go"
    yield name, go.touch
    if go.parent.exists():
        go.touch()


def asked(stack, address, **how):
    with stack.api as api:
        return api.request(how.pop("method", "GET"), address, **how)


def order(stack, name):
    body = {"kind": "provision", "instance": name}
    return asked(stack, "/v1/jobs", method="POST", json=body).raise_for_status().json()


def until(stack, address, what, seconds=60):
    """The answer once it is as wanted."""

    def look():
        found = asked(stack, address)
        return found if found.is_success and what(found.json()) else None

    return eventually(look, address, seconds=seconds, explain=stack.logs)


def liftlock(stack, *words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", *words],
        env=os.environ | {"LIFTLOCK_URL": stack.url, "LIFTLOCK_TOKEN": stack.token},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr + stack.logs()
    return done.stdout + done.stderr


def test_a_held_lock_is_looked_at_broken_by_force_and_the_next_job_runs(stack, site):
    name, let_go = site
    lock = f"/v1/locks/instance:{name}"
    first = order(stack, name)
    seen = until(stack, lock, lambda held: "waiting for" in (held["holder"]["last_line"] or ""))
    second = order(stack, name)
    waits = until(stack, second["links"]["self"], lambda job: job["status"] == "blocked").json()

    holder = seen.json()["holder"]
    assert (holder["job"], holder["alive"]) == (first["id"], True)
    assert holder["why"] == f"provision of {name} to v1"
    assert holder["step"] == "Build: build command"
    assert first["id"] in str(waits["blocked_by"])
    assert (waits["position"], "liftlock" in waits["blocked_by"][0]["hint"]) == (1, True)
    told = liftlock(stack, "jobs", "show", second["id"])
    for part in ("1 in line", "waiting for", "Build: build command", "alive      yes"):
        assert part in told

    breaking = ("locks", "break", f"instance:{name}", "--reason", "it hangs")
    token = str(seen.json()["token"])
    refused = liftlock(stack, *breaking, "--lock-token", token, "--yes", code=2)
    assert "holder-alive" in refused
    broken = liftlock(stack, *breaking, "--lock-token", token, "--yes", "--force")
    assert f"job {first['id']} is failed" in broken
    ended = stack.finished(first)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "lock-broken")
    assert (ended["outcome"], ended["service_state"]) == ("rollback_failed", "unknown")
    # What it left running on the host is ended by the next job, which then waits to be let go.
    let_go()
    assert stack.finished(second)["status"] == "succeeded"
    types = [event["type"] for event in stack.events(first)]
    assert types[-1] == "job.failed"
    assert types.count("lock.broken") == 1
    assert asked(stack, lock).status_code == 404


def test_a_lock_that_a_person_placed_refuses_jobs_until_it_is_lifted(stack, site):
    name, _ = site
    liftlock(stack, "instances", "set", name, "--set", "BUILD_COMMAND=true")
    liftlock(stack, "locks", "place", f"instance:{name}", "--message", "On television.")
    assert "On television." in liftlock(stack, "provision", name, code=2)
    lock = asked(stack, f"/v1/locks/manual:instance:{name}").raise_for_status().json()
    lifting = ("locks", "break", lock["name"], "--reason", "over", "--yes")
    assert "Lifted" in liftlock(stack, *lifting, "--lock-token", str(lock["token"]))
    assert stack.finished(order(stack, name))["status"] == "succeeded"
