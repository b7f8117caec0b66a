"""Postgres is stopped without a word and started again, in any phase of a job."""

import os
import secrets
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import binaries, privileges
from local.postgres import Cluster
from tests.support import servers
from tests.support.arena import running_arena
from tests.support.crashing import Fate
from tests.support.postgres import FAST, migrate

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

PHASES = [
    "claimed",
    "after the intent",
    "started on the host",
    "output read, not written",
    "done on the host, not written",
    "between two steps",
    "before the end is written",
    "end written, locks held",
]


class OwnPostgres:
    """A cluster that a test may stop and start; unlike that of all tests it keeps its word."""

    def __init__(self, run):
        self.run, programs = run, binaries.postgres_programs()
        name = f"own-postgres-{secrets.token_hex(3)}"
        self.log = run / f"{name}.log"
        self.cluster = Cluster(
            programs=programs,
            directory=run / name,
            reach=run / name,
            password=secrets.token_hex(16),
            launch=privileges.choose(programs / "postgres"),
            settings={**FAST, "fsync": "off", "synchronous_commit": "on"},
        )
        self.cluster.initialize()

    def start(self):
        servers.start(
            self.run,
            self.cluster.argv(),
            folder=self.cluster.directory,
            stop=signal.SIGINT,
            log=self.log,
            options=self.cluster.options(),
        )
        servers.wait_until(self.cluster.answers, "PostgreSQL to answer", log=self.log)

    @contextmanager
    def frozen(self):
        """Every process of it stands still; connections stay."""
        note = self.cluster.directory / "postmaster.pid"
        leader = int(note.read_text().splitlines()[0])
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        everybody = [leader, *map(int, children)]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in everybody:
                os.kill(pid, signal.SIGCONT)

    def stop(self):
        """As `pg_ctl stop -m immediate` does."""
        note = self.cluster.directory / "postmaster.pid"
        os.kill(int(note.read_text().splitlines()[0]), signal.SIGQUIT)
        servers.wait_until(lambda: not note.exists(), "PostgreSQL to stop", log=self.log)


@pytest.fixture(scope="module")
def postgres():
    own = OwnPostgres(servers.run_folder())
    own.start()
    yield own
    own.stop()


@pytest.fixture(scope="module")
def arena(postgres, tmp_path_factory):
    postgres.cluster.create_database()
    migrate(postgres.cluster.url())
    with running_arena(postgres.cluster.url(), tmp_path_factory.mktemp("arena")) as made:
        yield made


def test_a_silent_server_is_told_of_in_seconds(arena, postgres):
    with postgres.frozen(), arena.api as api:
        began = time.monotonic()
        assert api.get("/readyz").status_code == 503
        assert api.get("/v1/jobs").status_code == 503
        assert time.monotonic() - began < 25
    with arena.api as api:
        servers.wait_until(
            lambda: api.get("/v1/jobs").status_code == 200, "the API to answer again"
        )


def test_a_job_that_is_queued(arena, postgres, site):
    here = site()
    job = here.request()
    postgres.stop()
    with arena.workers():
        postgres.start()
        here.check(job, attempts=1)


@pytest.mark.parametrize("phase", PHASES)
def test_a_job_in_any_phase(arena, postgres, site, phase):
    here = site()
    worker = arena.worker(point=phase, fate=Fate.STOPPED)
    job = here.request()
    arena.stopped(worker)
    postgres.stop()
    arena.goes_on(worker)
    postgres.start()
    here.check(job, attempts=1)


@pytest.mark.parametrize(
    "write", ["after the intent", "output written", "result written, not cleaned", "end written"]
)
def test_a_commit_whose_answer_is_lost_is_not_made_twice(arena, site, write):
    here = site()
    arena.worker(point=write, fate=Fate.UNANSWERED)
    job = here.request()
    here.check(job, attempts=1)
    begun = [e["data"]["step"] for e in arena.events(job) if e["type"] == "step.started"]
    assert len(begun) == len(set(begun))
