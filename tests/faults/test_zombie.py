"""A worker stands still past its lease, another takes over, the first goes on: it changes nothing.

Two fences refuse it, each proven without the other: Postgres what it writes, the host what it does.
"""

import os
import secrets
import signal
import time

import pytest

from tests.support import zombies
from tests.support.arena import EFFECTS, LINES, make_site
from tests.support.crashing import Fate
from tests.support.machines import register, sshd_machine
from tests.support.stack import eventually

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

#: The site does not answer before the test says so: its job stands at the check meanwhile.
HELD = """\
until [ -e "$SHARED_DIR/go" ]; do sleep 0.05; done
exec python3 -m http.server "$PORT" --bind "$BIND"
"""
#: Where the first stands still, with a successor that is in the middle of the job when it goes on:
#: what it does next is a write, or a step.
BEFORE_A_WRITE = ["output written", "done on the host, not written", "between two steps"]
BEFORE_A_STEP = ["after the intent", "output written", "between two steps"]


def said(arena, worker, words):
    """Wait until the worker's log has them."""
    eventually(lambda: words in arena.log_of(worker) or None, words, seconds=20, explain=arena.logs)


def overtaken(arena, here, point, also):
    """The worker that stands still at that point, past its lease, and its job."""
    first = arena.worker(point=point, fate=Fate.STOPPED, also=also)
    job = here.request()
    arena.stopped(first)
    arena.pass_time()
    return first, job


def in_the_middle(arena, job):
    """Wait until the successor looks whether the site answers."""

    def look():
        told = arena.events(job)
        looks = told[-1]["type"] == "step.started" and told[-1]["data"]["step"] == "check"
        return (looks and arena.types(job).count("job.started") == 2) or None

    eventually(look, "the successor at its check", seconds=30, explain=arena.logs)


def kill(worker):
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)


@pytest.mark.parametrize("point", BEFORE_A_WRITE)
def test_its_next_write_is_refused_by_postgres(arena, site, point):
    here = site(START=HELD)
    first, job = overtaken(arena, here, point, zombies.unaware)
    with arena.workers():
        in_the_middle(arena, job)
        told = arena.events(job)
        arena.goes_on(first)
        said(arena, first, zombies.POSTGRES)
        said(arena, first, "job.left")
        assert arena.events(job) == told
        (here.shared / "go").touch()
        here.check(job, attempts=2)


def test_it_writes_no_second_end(arena, site):
    here = site()
    first, job = overtaken(arena, here, "before the end is written", zombies.unaware)
    with arena.workers():
        here.check(job, attempts=2)
        told = arena.events(job)
        arena.goes_on(first)
        said(arena, first, f"{zombies.POSTGRES} settle")
    assert arena.events(job) == told
    assert arena.job(job)["status"] == "succeeded"


@pytest.mark.parametrize("point", ["undo started on the host", "undo done, not written"])
def test_in_an_undo_its_next_write_is_refused_by_postgres(arena, site, point):
    here = site(recipe="hopeless", START="exec sleep 600")
    first, job = overtaken(arena, here, point, zombies.unaware)
    with arena.workers():
        ended = arena.finished(job, seconds=30)
        told = arena.events(job)
        arena.goes_on(first)
        said(arena, first, zombies.POSTGRES)
    check_undone_once(arena, here, ended)
    assert arena.events(job) == told


@pytest.mark.parametrize("point", BEFORE_A_STEP)
def test_its_next_step_is_refused_by_the_host_when_postgres_does_not_stop_it(arena, site, point):
    check_refused_by_the_host(arena, site(START=HELD), point)


@pytest.mark.sshd
def test_its_next_step_is_refused_behind_a_real_ssh_server(arena, tmp_path):
    name = f"sshd-{secrets.token_hex(3)}"
    for machine in sshd_machine(arena, name, tmp_path):
        register(arena, machine)
        here = make_site(arena, machine, tmp_path, START=HELD)
        check_refused_by_the_host(arena, here, "between two steps")


def check_refused_by_the_host(arena, here, point):
    first, job = overtaken(arena, here, point, zombies.stubborn)
    with arena.workers():
        in_the_middle(arena, job)
        arena.goes_on(first)
        said(arena, first, f"{zombies.HOST} run")
        assert "refuses token 1 of lock instance:" in arena.log_of(first)
        kill(first)
        (here.shared / "go").touch()
        here.check(job, attempts=2)


def test_it_may_not_clear_away_what_tells_its_successor_that_a_step_was_done(arena, site):
    here = site()
    first, job = overtaken(arena, here, "all steps done, not cleaned", zombies.stubborn)
    with arena.workers():
        here.check(job, attempts=2)
        arena.goes_on(first)
        said(arena, first, f"{zombies.HOST} clean")
        kill(first)
    assert here.file("effects") == EFFECTS


@pytest.mark.parametrize("point", ["before an undo", "undo started on the host"])
def test_in_an_undo_its_next_step_is_refused_by_the_host(arena, site, point):
    here = site(recipe="hopeless", START="exec sleep 600")
    first, job = overtaken(arena, here, point, zombies.stubborn)
    with arena.workers():
        ended = arena.finished(job, seconds=30)
        arena.goes_on(first)
        said(arena, first, f"{zombies.HOST} run")
        kill(first)
    check_undone_once(arena, here, ended)


def check_undone_once(arena, here, ended):
    assert (ended["status"], ended["outcome"]) == ("failed", "rolled_back")
    undone = [e["data"]["step"] for e in arena.events(ended) if e["type"] == "step.undone"]
    assert undone == ["start", "save-values"]
    assert here.file("effects") == EFFECTS
    assert here.file("starts") == ["x"]
    assert not here.machine.processes(f"LIFTLOCK_SERVICE={here.shared.parent}/")


#: Lines at a steady pace, for longer than a lease.
LONG = """\
echo "line 1"; echo build >> "$SHARED_DIR/effects"; n=2
while [ "$n" -le 20 ]; do sleep 1.2; echo "line $n"; n=$((n + 1)); done
"""


def test_with_the_real_lease_and_nothing_switched_off(arena, site):
    here = site(BUILD=LONG)
    first = arena.worker(hasty=False)
    job = here.request()
    arena.said(job, "line 2")
    os.kill(first.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    with arena.workers(hasty=False):
        eventually(
            lambda: arena.types(job).count("job.started") == 2 or None, "a successor", seconds=30
        )
        arena.goes_on(first)
        said(arena, first, "job.left")
        here.check(job, attempts=2)
    assert time.monotonic() - stopped > 10
    assert arena.lines(job) == LINES


def test_a_command_that_still_runs_keeps_everybody_out_when_all_else_forgot_it(arena, site):
    """Its worker is dead, its rows are gone, Redis is empty: the host alone knows."""
    waits = 'echo "line 1"; until [ -e "$SHARED_DIR/go" ]; do sleep 0.05; done; echo build >> '
    here = site(BUILD=f'{waits}"$SHARED_DIR/effects"')
    first = arena.worker()
    old = here.request()
    arena.said(old, "line 1")
    kill(first)
    forget(arena, old)
    new = here.request()
    with arena.workers():
        busy = f"that job {old['id']} started holds lock instance:"

        def refused():
            told = arena.events(new)
            return any(busy in str(event["data"].get("error")) for event in told) or None

        eventually(refused, "the new job to be kept out", seconds=30, explain=arena.logs)
        (here.shared / "go").touch()
        ended = arena.finished(new, seconds=40)
    assert ended["status"] == "succeeded", ended["error"]
    assert here.file("effects") == ["first", "build", *EFFECTS]


def forget(arena, job):
    """Everything that Postgres and Redis know of the job; only the numbers of its locks stay."""
    for table in ("events", "steps", "app_servers"):
        arena.sql(f"DELETE FROM {table} WHERE job_id = $1", job["id"])
    arena.sql("DELETE FROM jobs WHERE id = $1", job["id"])
    arena.sql("UPDATE locks SET holder_job = NULL, holder_attempt = NULL")
    with arena.redis.client() as redis:
        redis.flushall()
