"""The judge sees what fencing is for: a small campaign on real servers, with and without it.

A worker is stopped between two steps, past its lease. Another one ends its job and begins the next
one of that instance; then the first is continued.
"""

import json
import secrets
import socket
import time

import pytest

from app.store import steps
from tests.chaos import unfenced
from tests.chaos.judge import judge, read, report
from tests.support import crashing
from tests.support.arena import make_site, running_arena
from tests.support.machines import demo_machine, register
from tests.support.stack import eventually

#: Each test has its own arena.
pytestmark = pytest.mark.timeout(180)

#: Steps that leave their marks, and do not end while there is a file called `hold`.
RECIPE = """
name: witnessed
settings:
  EFFECTS: {required: true}
  BUILD: {default: "true"}
preflight: {disk_mb: 1}
build:
  - {name: first, run: 'eval "$BUILD"'}
  - {name: build, run: 'eval "$BUILD"'}
  - {name: last, run: 'eval "$BUILD"'}
start:
  run: exec python3 -m http.server "$PORT" --bind "$BIND"
stop: {timeout: 2}
check: {path: /, tries: 300, every: 0.1}
"""
BUILD = """\
say() { echo "$(date +%s%N) $1 $LIFTLOCK_STEP $INSTANCE" >> "$EFFECTS"; }
say begin
while [ -e "$EFFECTS.hold" ]; do sleep 0.05; done
say end
"""
LAST = ("job.succeeded", "job.failed")


@pytest.fixture
def arena(postgres_server, template_database, tmp_path):
    database = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    url = postgres_server.create(database, template=template_database)
    (tmp_path / "arena").mkdir()
    with running_arena(url, tmp_path / "arena") as made:
        with made.api as api:
            headers = {"Content-Type": "application/yaml"}
            api.post("/v1/recipes", content=RECIPE, headers=headers).raise_for_status()
        yield made
    postgres_server.drop(database)


@pytest.fixture
def machine(arena, tmp_path):
    for made in demo_machine(arena, f"demo-{secrets.token_hex(3)}", tmp_path):
        register(arena, made)
        yield made


class Campaign:
    """One instance on one host, and the folder that the judge reads."""

    def __init__(self, arena, machine, folder):
        self.arena, self.folder = arena, folder
        self.effects = folder / machine.name / "effects.log"
        self.hold = self.effects.with_name("effects.log.hold")
        self.effects.parent.mkdir(parents=True)
        self.site = make_site(
            arena, machine, folder, recipe="witnessed", BUILD=BUILD, EFFECTS=str(self.effects)
        )

    def request(self):
        job = self.site.request()
        about = {"job": job["id"], "instance": self.site.name, "host": "web-1"}
        self._tell("accepted.jsonl", {**about, "at": time.time()})
        return job

    def hit(self, worker, at):
        name = f"{socket.gethostname()}:{worker.pid}"
        fault = {"kind": "stop-worker", "target": "worker-1", "at": at, "until": time.time()}
        self._tell("faults.jsonl", {**fault, "worker": name})

    def began(self, job, times):
        """Wait until steps of the job have begun so often."""

        def look():
            lines = self.effects.read_text().splitlines() if self.effects.exists() else []
            return sum(f" begin {job['id']}-" in line for line in lines) >= times or None

        eventually(look, f"{times} begun steps", seconds=60, explain=self.arena.logs)

    def ended(self, job, times):
        """Wait until so many last events of the job are told."""
        count = "SELECT count(*) FROM events WHERE job_id = $1 AND type = ANY($2)"

        def look():
            return self.arena.sql(count, job["id"], LAST)[0][0] >= times or None

        eventually(look, f"{times} last events", seconds=60, explain=self.arena.logs)

    def verdict(self):
        url = self.arena.environment["LIFTLOCK_DATABASE_URL"]
        return judge(read(self.folder, url, redis_url=self.arena.redis.server.url()))

    def _tell(self, name, line):
        with (self.folder / name).open("a") as file:
            file.write(json.dumps(line) + "\n")


@pytest.fixture
def campaign(arena, machine, tmp_path):
    return Campaign(arena, machine, tmp_path / "campaign")


def stopped_past_its_lease(campaign, be):
    """The worker that was continued, its job, and the one that another worker has begun since."""
    arena = campaign.arena
    first = arena.worker(be=be, point="between two steps", fate=crashing.Fate.STOPPED)
    job = campaign.request()
    arena.stopped(first, seconds=60)
    at = time.time()
    arena.pass_time()
    arena.worker(be=be)
    campaign.ended(job, 1)
    campaign.hold.touch()
    rival = campaign.request()
    campaign.began(rival, 1)
    arena.goes_on(first)
    campaign.hit(first, at)
    return first, job, rival


def test_with_fencing_nothing_happens_twice(arena, campaign):
    first, _, rival = stopped_past_its_lease(campaign, be=crashing.run)
    eventually(lambda: "job.left" in arena.log_of(first) or None, "it to leave", seconds=60)
    campaign.hold.unlink()
    campaign.ended(rival, 1)
    arena.end_workers()
    verdict = campaign.verdict()
    assert verdict.is_green, report(verdict)
    assert verdict.jobs == {"succeeded": 2}
    assert verdict.begins == 6


def test_without_fencing_the_judge_turns_red(arena, campaign):
    _, job, rival = stopped_past_its_lease(campaign, be=unfenced.run)
    campaign.began(job, 4)
    campaign.hold.unlink()
    campaign.ended(rival, 1)
    campaign.ended(job, 2)
    arena.end_workers()
    verdict = campaign.verdict()
    assert {"doubled", "overlaps", "ends", "late"} <= set(verdict.red), report(verdict)
    assert f"{job['id']}: step" in report(verdict)


def test_a_fence_that_is_spelled_in_another_way_is_not_taken_for_switched_off(monkeypatch):
    monkeypatch.setattr(steps, "_START", steps._START.replace("attempt = $2", "attempt = 2"))
    with pytest.raises(AttributeError, match=r"steps\._START"):
        unfenced.switch_off()


def test_no_guard_is_left_in_the_store():
    opened = [
        unfenced._GUARD.sub(unfenced._truth, getattr(*place)) for place in unfenced._guarded()
    ]
    assert not [text for text in opened if "lease_until IS NOT NULL" in text]
