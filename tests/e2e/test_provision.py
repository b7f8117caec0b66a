"""From POST to page, through HTTP, a worker process and SSH."""

import secrets

import httpx
import pytest

from examples.make_repository import make_repository
from tests.support import sites


@pytest.fixture
def instance(stack, machine, tmp_path):
    """Make an instance of the `command` recipe on the machine; its name."""
    repository = sites.repository(tmp_path / "site")

    def make(**values):
        name = f"site-{secrets.token_hex(4)}"
        settings = {"START_COMMAND": sites.SERVE, **values.pop("settings", {})}
        body = {
            "name": name,
            "recipe": "command",
            "repository": repository,
            "revision": "v1",
            "host": machine.name,
            "settings": settings,
            **values,
        }
        with stack.api as api:
            answer = api.post("/v1/instances", json=body)
            assert answer.status_code == 201, answer.text
        return name

    return make


def page(job):
    url = f"http://127.0.0.1:{job['app_server']['port']}/"
    return httpx.get(url, trust_env=False)


def test_a_site_answers_after_its_job(stack, machine, instance):
    job = stack.run(instance=instance())
    assert job["status"] == "succeeded", job["error"]
    assert job["outcome"] == "changed"
    assert job["service_state"] == "serving_new"
    assert job["app_server"]["status"] == "running"
    assert "<h1>hello</h1>" in page(job).text


def test_every_step_is_an_event_with_its_exit_code_and_duration(stack, instance):
    job = stack.run(instance=instance(settings={"BUILD_COMMAND": "echo built it"}))
    told = stack.events(job)
    assert [told[0]["type"], told[-1]["type"]] == ["job.queued", "job.succeeded"]
    begun = [event["data"]["step"] for event in told if event["type"] == "step.started"]
    ended = [event["data"] for event in told if event["type"] == "step.succeeded"]
    assert [data["step"] for data in ended] == begun
    built = next(data for data in ended if data["step"] == "build-build-command")
    assert built["exit_code"] == 0
    assert built["duration_ms"] >= 0
    assert "built it" in stack.output(job)


def test_the_plan_can_be_read_and_a_dry_run_does_nothing(stack, machine, instance):
    name = instance()
    job = stack.run(instance=name, dry_run=True)
    assert (job["status"], job["outcome"], job["app_server"]) == ("succeeded", "unchanged", None)
    with stack.api as api:
        steps = api.get(f"/v1/jobs/{job['id']}/plan").raise_for_status().json()["items"]
        servers = api.get(f"/v1/instances/{name}/app-servers").raise_for_status().json()["items"]
    assert any("git" in step.get("script", "") for step in steps)
    assert servers == []
    assert not (machine.base / "apps" / name).exists()


def test_a_second_app_server_runs_beside_the_first(stack, machine, instance):
    name = instance()
    first, second = stack.run(instance=name), stack.run(instance=name)
    assert second["status"] == "succeeded", second["error"]
    assert (first["service_state"], second["service_state"]) == ("serving_new", "serving_old")
    assert page(first).status_code == page(second).status_code == 200
    releases = sorted(p.name for p in (machine.base / "apps" / name / "releases").iterdir())
    assert releases == ["v1-1", "v1-2"]
    assert (machine.base / "apps" / name / "current").readlink().name == "v1-1"


def test_prepare_runs_once_in_an_instances_life(stack, machine, instance):
    name = instance(settings={"PREPARE_COMMAND": 'echo x >> "$SHARED_DIR/prepared"'})
    stack.run(instance=name)
    stack.run(instance=name)
    assert (machine.base / "apps" / name / "shared" / "prepared").read_text() == "x\n"


def test_the_app_server_keeps_the_settings_it_was_made_with(stack, instance):
    name = instance(settings={"BUILD_COMMAND": "echo one"})
    job = stack.run(instance=name)
    with stack.api as api:
        etag = api.get(f"/v1/instances/{name}").headers["ETag"]
        change = {"settings": {"BUILD_COMMAND": "echo two"}}
        answer = api.patch(f"/v1/instances/{name}", json=change, headers={"If-Match": etag})
        assert answer.status_code == 200, answer.text
        servers = api.get(f"/v1/instances/{name}/app-servers").raise_for_status().json()["items"]
    assert servers[0]["id"] == job["app_server"]["id"]
    assert servers[0]["settings"]["BUILD_COMMAND"] == "echo one"


def test_a_secret_reaches_the_site_and_nothing_else(stack, machine, instance):
    secret = f"s3cret-{secrets.token_hex(8)}"
    command = 'printf "%s" "$TOP" > "$RELEASE_DIR/seen"; echo "value: $TOP"; echo "$TOP" | base64'
    name = instance(settings={"BUILD_COMMAND": command})
    with stack.api as api:
        put = api.put(f"/v1/instances/{name}/secrets/TOP", json={"value": secret})
        assert put.status_code in {200, 204}, put.text
    job = stack.run(instance=name)
    release = machine.base / job["app_server"]["release"]
    assert (release / "seen").read_text() == secret
    assert secret not in str(stack.events(job))
    assert "value: [redacted]" in stack.output(job)
    with stack.api as api:
        assert secret not in api.get(f"/v1/jobs/{job['id']}/plan").text
    (release / "seen").unlink()
    env = machine.base / "apps" / name / "run" / "1" / "env"
    assert env.stat().st_mode & 0o777 == 0o600
    on_disk = [p for p in machine.home.rglob("*") if p.is_file() and p != env]
    assert not [p for p in on_disk if secret.encode() in p.read_bytes()]


def test_no_step_folder_is_left_on_the_host(stack, machine, instance):
    job = stack.run(instance=instance())
    steps = machine.base / "steps"
    assert [p.name for p in steps.iterdir() if p.name.startswith(job["id"])] == []


def test_the_guestbook_is_served_with_its_static_files(stack, machine, tmp_path):
    tags = make_repository(tmp_path / "guestbook")
    name = f"guestbook-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "recipe": "django",
        "repository": f"file://{tmp_path / 'guestbook'}",
        "revision": "v1",
        "host": machine.name,
        "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings"},
    }
    with stack.api as api:
        assert api.post("/v1/instances", json=body).status_code == 201
    job = stack.run(instance=name, seconds=300)
    assert job["status"] == "succeeded", job["error"]
    assert job["app_server"]["commit"] == tags["v1"]
    site = page(job)
    assert site.status_code == 200
    stylesheet = next(part for part in site.text.split('"') if part.endswith(".css"))
    assert httpx.get(str(site.url.join(stylesheet)), trust_env=False).status_code == 200
    newer = stack.run(instance=name, revision="v2", seconds=300)
    assert (newer["status"], newer["error"]["code"]) == ("failed", "needs-upgrade")
    assert newer["app_server"]["status"] == "failed"
    assert newer["service_state"] == "serving_old"
    assert page(job).status_code == 200


def test_a_host_is_enrolled_by_comparing_its_fingerprint(stack, machine, instance):
    name = f"new-{secrets.token_hex(3)}"
    host = {"name": name, "address": "127.0.0.1", "port": machine.port, "user": machine.user}
    with stack.api as api:
        assert api.post("/v1/hosts", json=host).status_code == 201
        refused = api.post("/v1/jobs", json={"kind": "provision", "instance": instance(host=name)})
        assert (refused.status_code, refused.json()["code"]) == (409, "host-key-missing")
        asked = api.post(f"/v1/hosts/{name}/enroll", json={})
        assert asked.status_code == 202
    assert stack.finished(asked.json())["status"] == "succeeded"
    with stack.api as api:
        shown = api.get(f"/v1/hosts/{name}").json()
        assert shown["enrolled"] is False
        confirm = {"fingerprint": shown["pending_fingerprint"]}
        confirmed = api.post(f"/v1/hosts/{name}/enroll", json=confirm)
        assert confirmed.status_code == 200
    assert confirmed.json()["host_key"] == machine.host_key


@pytest.mark.sshd
def test_trac_from_the_package_index_serves_its_wiki(stack, sshd_host):
    name = f"trac-{secrets.token_hex(4)}"
    body = {
        "name": name,
        "recipe": "trac",
        "repository": "pypi:Trac",
        "revision": "1.6",
        "host": sshd_host.name,
        "settings": {"PROJECT_NAME": "Canal works"},
    }
    with stack.api as api:
        assert api.post("/v1/instances", json=body).status_code == 201
    job = stack.run(instance=name, seconds=300)
    assert job["status"] == "succeeded", job["error"]
    assert job["app_server"]["commit"] == "1.6"
    wiki = httpx.get(f"http://127.0.0.1:{job['app_server']['port']}/wiki", trust_env=False)
    assert wiki.status_code == 200
    assert "Canal works" in wiki.text
