"""kill -9 at every named point: another worker ends the job, and everything has happened once."""

import os
import signal

import httpx
import pytest

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

#: Where a worker dies, and in how many attempts the job is then done.
IN_A_JOB = {
    "locks taken, not claimed": 1,
    "claimed": 2,
    "before the intent": 2,
    "after the intent": 2,
    "started on the host": 2,
    "output read, not written": 2,
    "output written": 2,
    "done on the host, not written": 2,
    "result written, not cleaned": 2,
    "between two steps": 2,
    "all steps done, not cleaned": 2,
    "before the end is written": 2,
    "end written, locks held": 1,
    "locks released, nobody woken": 1,
}
IN_AN_UNDO = ["before an undo", "undo started on the host", "undo done, not written"]


@pytest.mark.parametrize("point", IN_A_JOB)
def test_a_worker_that_dies_at_any_point_costs_nothing_but_time(arena, site, point):
    here = site()
    first = arena.worker(point=point)
    job = here.request()
    arena.crashed(first)
    arena.pass_time()
    with arena.workers():
        here.check(job, attempts=IN_A_JOB[point])


@pytest.mark.parametrize("point", ["end written, locks held", "locks released, nobody woken"])
def test_a_job_that_waits_for_one_whose_worker_dies_at_its_end_runs_all_the_same(
    arena, site, point
):
    here = site()
    first = arena.worker(point=point)
    here.request()
    rival = here.request(dry_run=False)
    arena.crashed(first)
    arena.pass_time()
    with arena.workers():
        ended = arena.finished(rival, seconds=30)
    assert ended["status"] == "succeeded", ended["error"]
    assert arena.types(rival).count("job.started") == 1


@pytest.mark.parametrize("point", IN_AN_UNDO)
def test_an_undo_whose_worker_dies_is_finished_by_the_next(arena, site, point):
    here = site(recipe="hopeless", START="exec sleep 600")
    first = arena.worker(point=point)
    job = here.request()
    arena.crashed(first)
    arena.pass_time()
    with arena.workers():
        ended = arena.finished(job, seconds=30)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "check-failed")
    assert ended["outcome"] == "rolled_back"
    assert here.file("starts") == ["x"]
    assert here.file("effects") == ["first", "build", "last"]
    undone = [e["data"]["step"] for e in arena.events(job) if e["type"] == "step.undone"]
    assert undone == ["start", "save-values"]
    here.check_told_once(ended, attempts=2)
    assert not here.machine.processes(f"LIFTLOCK_SERVICE={here.shared.parent}/")


@pytest.mark.parametrize("point", ["api: committed, not pushed", "api: pushed"])
def test_a_job_is_kept_when_the_api_dies_after_the_commit(arena, site, point):
    here = site()
    next(process for process in arena.forked if process.is_alive()).terminate()
    arena.forked[0].join(10)
    doomed = arena.api_process(point=point)
    with pytest.raises(httpx.TransportError):
        here.request()
    arena.crashed(doomed)
    arena.forked[0] = arena.api_process()
    [job] = arena.jobs(here.name)
    with arena.workers():
        here.check(job, attempts=1)


def test_a_dispatcher_that_dies_between_its_mark_and_its_push(arena, site):
    here = site()
    job = here.request()
    with arena.redis.client() as redis:
        redis.flushall()
    arena.pass_time()
    arena.crashed(arena.worker(point="dispatcher: marked, not pushed"))
    arena.pass_time()
    assert arena.job(job)["status"] == "queued"
    with arena.workers():
        here.check(job, attempts=1)


def test_a_worker_that_dies_while_it_hands_its_job_over(arena, site):
    here = site()
    first = arena.worker(point="handed over, not pushed")
    job = here.request()
    arena.said(job, "line 5")
    os.kill(first.pid, signal.SIGTERM)
    os.kill(first.pid, signal.SIGTERM)
    arena.crashed(first)
    arena.pass_time()
    with arena.workers():
        here.check(job, attempts=2)
