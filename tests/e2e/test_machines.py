"""From POST to a machine that a provider makes, a site on it, and its end."""

import secrets
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.support import sites
from tests.support.stack import eventually


@pytest.fixture
def instance(stack, tmp_path):
    """Make an instance whose app servers get machines; its name."""

    def make(**values):
        name = f"site-{secrets.token_hex(4)}"
        body = {
            "name": name,
            "recipe": "command",
            "repository": sites.repository(tmp_path / name),
            "revision": "v1",
            "provider": "cloud",
            "settings": {"START_COMMAND": sites.SERVE},
            **values,
        }
        with stack.api as api:
            answer = api.post("/v1/instances", json=body)
            assert answer.status_code == 201, answer.text
        return name

    return make


def terminate(stack, name):
    """With the data of the site, which is in files of its machine."""
    with stack.api as api:
        answer = api.post(f"/v1/app-servers/{name}:1/terminate", json={"with_data": True})
        assert answer.status_code == 202, answer.text
    return stack.finished(answer.json())


def host(stack, name):
    with stack.api as api:
        return api.get(f"/v1/hosts/{name}-1").raise_for_status().json()


def page(job):
    return httpx.get(f"http://127.0.0.1:{job['app_server']['port']}/", trust_env=False)


def cloud(stack, action):
    """Tags that the provider was asked to do this with."""
    asked = (stack.folder / "cloud" / "requests").read_text().split("\n")
    return [line.split()[1] for line in asked if line.startswith(f"{action} ")]


def machines(stack):
    return [one.parent.name for one in (stack.folder / "cloud").glob("*/machine")]


def machines_of(stack, name):
    """Those of the instance, as they are recorded."""
    with stack.api as api:
        found = api.get("/v1/machines", params={"limit": 200}).raise_for_status().json()["items"]
    return [one for one in found if one["instance"] == name]


def ended(stack, name):
    """The machine of the instance, once it is gone."""
    (mine,) = machines_of(stack, name)
    return mine if mine["status"] == "terminated" else None


def test_a_site_is_provisioned_on_a_machine_that_was_made_for_it(stack, instance):
    name = instance()
    job = stack.run(instance=name)
    assert job["status"] == "succeeded", job["error"]
    assert "<h1>hello</h1>" in page(job).text
    assert (host(stack, name)["status"], host(stack, name)["user"]) == ("ready", "demo")
    assert terminate(stack, name)["status"] == "succeeded"


def test_a_machine_is_removed_with_its_app_server(stack, instance):
    name = instance()
    job = stack.run(instance=name)
    ended = terminate(stack, name)
    assert ended["status"] == "succeeded", ended["error"]
    assert machines(stack) == []
    assert (host(stack, name)["status"], host(stack, name)["host_key"]) == ("gone", None)
    with pytest.raises(httpx.ConnectError):
        page(job)
    assert terminate(stack, name)["status"] == "succeeded"


def test_an_app_server_whose_machine_is_not_made_is_in_error(stack, instance):
    """Case 14."""
    name = instance(labels={"fault": "create"})
    job = stack.run(instance=name)
    assert (job["status"], job["error"]["code"]) == ("failed", "machine-failed")
    assert "no create today" in job["error"]["detail"]
    assert job["app_server"]["status"] == "error"
    assert host(stack, name)["status"] == "gone"


def test_an_app_server_whose_machine_is_half_made_is_terminated_with_it(stack, instance):
    name = instance(labels={"fault": "finish"})
    job = stack.run(instance=name)
    assert (job["status"], job["error"]["code"]) == ("failed", "provider-failed")
    assert host(stack, name)["status"] == "making"
    done = terminate(stack, name)
    assert done["status"] == "succeeded", done["error"]
    assert ended(stack, name)["tag"] in cloud(stack, "destroy")
    assert host(stack, name)["status"] == "gone"


def test_a_machine_that_may_still_be_there_keeps_its_app_server(stack, instance):
    """Case 21."""
    name = instance(labels={"fault": "destroy"})
    job = stack.run(instance=name)
    assert job["status"] == "succeeded", job["error"]
    ended = terminate(stack, name)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "unconfirmed-gone")
    with stack.api as api:
        server = api.get(f"/v1/app-servers/{name}:1").json()
    assert server["cleaned_at"] is None
    for labels in (stack.folder / "cloud").glob("*/labels"):
        labels.write_text("{}")
    again = terminate(stack, name)
    assert again["status"] == "succeeded", again["error"]
    assert machines(stack) == []


def test_a_machine_whose_app_server_fails_is_kept_with_the_log(stack, instance):
    """Case 15."""
    settings = {"START_COMMAND": sites.SERVE, "BUILD_COMMAND": "echo it breaks here; exit 7"}
    name = instance(settings=settings)
    job = stack.run(instance=name)
    assert (job["status"], job["error"]["code"]) == ("failed", "step-failed")
    assert job["error"]["exit_code"] == 7
    assert "it breaks here\n" in stack.output(job)
    assert job["app_server"]["status"] == "failed"
    (mine,) = machines_of(stack, name)
    assert (mine["status"], mine["error"]) == ("ready", None)
    assert host(stack, name)["status"] == "ready"
    assert mine["tag"] in machines(stack)
    assert mine["tag"] not in cloud(stack, "destroy")
    # Until somebody has seen enough.
    assert terminate(stack, name)["status"] == "succeeded"
    assert machines(stack) == []


def test_a_job_that_is_canceled_before_it_begins_has_no_machine_made(stack, instance):
    """Case 23."""
    name, later = instance(), datetime.now(UTC) + timedelta(hours=1)
    with stack.api as api:
        body = {"kind": "provision", "instance": name, "not_before": later.isoformat()}
        job = api.post("/v1/jobs", json=body).raise_for_status().json()
        api.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()
    assert stack.finished(job)["status"] == "canceled"
    machine = eventually(lambda: ended(stack, name), "the end of its machine", seconds=20)
    assert machine["tag"] not in cloud(stack, "create")
    assert host(stack, name)["status"] == "gone"


def test_a_job_that_is_canceled_while_it_builds_has_its_machine_removed(stack, instance):
    """Case 24."""
    settings = {"START_COMMAND": sites.SERVE, "BUILD_COMMAND": "echo it builds; sleep 600"}
    name = instance(settings=settings)
    with stack.api as api:
        body = {"kind": "provision", "instance": name}
        job = api.post("/v1/jobs", json=body).raise_for_status().json()
        eventually(lambda: "it builds" in stack.output(job) or None, "the build", seconds=60)
        api.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()
    assert stack.finished(job)["status"] == "canceled"
    assert ended(stack, name)["tag"] in cloud(stack, "destroy")
    assert (machines(stack), host(stack, name)["status"]) == ([], "gone")


def test_a_provider_that_nobody_was_told_of_is_refused(stack):
    body = {"name": "shop", "recipe": "command", "repository": "https://git.invalid/shop.git"}
    with stack.api as api:
        answer = api.post("/v1/instances", json={**body, "revision": "v1", "provider": "fog"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/provider")
