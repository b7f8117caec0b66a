"""kill -9 while a machine is made or removed: another worker ends the job, with one machine."""

import os
import secrets
import signal

import httpx
import pytest

from tests.support import demo_cloud, machine_crashes, sites
from tests.support.sshd import children
from tests.support.stack import eventually

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

#: Where a worker dies that has a machine made.
WHILE_MADE = [
    machine_crashes.asked_for_nothing,
    machine_crashes.made,
    machine_crashes.ready,
    machine_crashes.host_known,
]


class Made:
    """An instance whose app servers get machines, and the machines."""

    def __init__(self, arena, name):
        self.arena, self.name = arena, name
        self.cloud = arena.folder / "cloud"

    def request(self):
        return self.arena.request(self.name)

    def terminate(self):
        with self.arena.api as api:
            body = {"with_data": True}
            answer = api.post(f"/v1/app-servers/{self.name}:1/terminate", json=body)
            assert answer.status_code == 202, answer.text
            return answer.json()

    @property
    def known(self):
        with self.arena.api as api:
            found = api.get("/v1/machines", params={"limit": 200}).raise_for_status().json()
        return [one for one in found["items"] if one["instance"] == self.name]

    @property
    def asked(self):
        """What the provider was asked for."""
        lines = (self.cloud / "requests").read_text().splitlines()
        return [line.split()[0] for line in lines if line.endswith(f" {self.known[0]['tag']}")]

    @property
    def there(self):
        """All machines of the provider."""
        return [one.parent.name for one in self.cloud.glob("*/home")]

    def check_one(self, job):
        """The job has ended well, and its one machine is known as what it is."""
        ended = self.arena.finished(job, seconds=40)
        assert ended["status"] == "succeeded", ended["error"]
        (machine,) = self.known
        assert machine["status"] == "ready"
        assert self.there == [machine["tag"]]
        with self.arena.api as api:
            host = api.get(f"/v1/hosts/{self.name}-1").raise_for_status().json()
        assert host["status"] == "ready"
        url = f"http://127.0.0.1:{ended['app_server']['port']}/"
        assert "<h1>hello</h1>" in httpx.get(url, trust_env=False).text

    def check_none(self, job):
        ended = self.arena.finished(job, seconds=40)
        assert ended["status"] == "succeeded", ended["error"]
        assert [one["status"] for one in self.known] == ["terminated"]
        assert self.there == []


@pytest.fixture
def site(arena, tmp_path):
    """Make an instance; its machines are removed with the test."""
    recipe = (
        f"name: made\nstart: {{run: {sites.SERVE}}}\ncheck: {{path: /, tries: 300, every: 0.1}}\n"
    )
    (arena.folder / "cloud" / "go").unlink(missing_ok=True)

    def make(**labels):
        name = f"made-{secrets.token_hex(4)}"
        body = {
            "name": name,
            "recipe": "made",
            "repository": sites.repository(tmp_path / name),
            "revision": "v1",
            "provider": "cloud",
            "labels": labels,
        }
        with arena.api as api:
            headers = {"Content-Type": "application/yaml"}
            api.post("/v1/recipes", content=recipe, headers=headers).raise_for_status()
            answer = api.post("/v1/instances", json=body)
            assert answer.status_code == 201, answer.text
        return Made(arena, name)

    yield make
    arena.end_workers()
    demo_cloud.remove(arena.folder / "cloud")


def kill(worker):
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)


def make_one_though_the_first_dies(arena, here, first):
    job = here.request()
    arena.crashed(first)
    arena.pass_time()
    with arena.workers():
        here.check_one(job)
    assert here.asked.count("create") == 1


@pytest.mark.parametrize("point", WHILE_MADE, ids=lambda point: point.__name__)
def test_a_worker_that_dies_while_it_has_a_machine_made_leaves_one(arena, site, point):
    make_one_though_the_first_dies(arena, site(), arena.worker(also=point))


@pytest.mark.parametrize("point", ["after the intent", "handed over, not pushed"])
def test_a_worker_that_dies_beside_the_step_leaves_one_machine(arena, site, point):
    here = site()
    make_one_though_the_first_dies(arena, here, arena.worker(point=point, step="create-machine"))


def test_a_program_that_goes_on_without_its_worker_leaves_one_machine(arena, site):
    here = site(held="yes")
    first = arena.worker()
    job = here.request()
    arena.said(job, "it is half made")
    kill(first)
    arena.pass_time()
    with arena.workers():
        eventually(lambda: "destroy" in here.asked or None, "a successor", seconds=20)
        (here.cloud / "go").touch()
        here.check_one(job)


def test_a_program_that_dies_with_its_worker_leaves_one_machine(arena, site):
    here = site(held="yes")
    first = arena.worker()
    job = here.request()
    arena.said(job, "it is half made")
    [program] = children(first.pid)
    kill(first)
    os.killpg(program, signal.SIGKILL)
    (here.cloud / "go").touch()
    arena.pass_time()
    with arena.workers():
        here.check_one(job)
    assert here.asked.count("create") == 2


def test_a_worker_that_dies_when_a_machine_was_removed_costs_nothing_but_time(arena, site):
    here = site()
    with arena.workers():
        here.check_one(here.request())
    first = arena.worker(also=machine_crashes.removed)
    job = here.terminate()
    arena.crashed(first)
    arena.pass_time()
    with arena.workers():
        here.check_none(job)
