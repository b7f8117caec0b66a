"""A cancel is not a label: `canceled` means that nothing of the job lives on its host."""

import os
import secrets
import signal
import time

import pytest

from tests.support.stack import eventually

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

#: Ways to be hard to end; what they start has a mark among its arguments.
STUBBORN = {
    "ignores TERM": "trap '' TERM HUP INT; while :; do {sleep}; done",
    "leaves its session": "setsid sh -c \"trap '' TERM HUP; {sleep}\" & while :; do {sleep}; done",
    "forks twice and forgets its variables": "(env -i {sleep} &) ; while :; do {sleep}; done",
}
#: The longest that a cancel takes to be heard when Redis cannot tell of it.
HEARD = 6.0


def cancel(arena, job):
    with arena.api as api:
        answer = api.post(f"/v1/jobs/{job['id']}/cancel", json={})
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.mark.parametrize("how", STUBBORN)
def test_after_canceled_no_process_of_the_job_exists_on_the_host(arena, machine, site, how):
    mark = f"3600.{secrets.randbelow(10**9)}"
    build = STUBBORN[how].replace("{sleep}", f"sleep {mark}")
    here = site(BUILD=f"echo line 1; {build}")
    with arena.workers():
        job = here.request()
        arena.said(job, "line 1")
        eventually(lambda: machine.processes(mark) or None, "the step's processes", seconds=10)
        assert cancel(arena, job)["status"] == "canceling"
        ended = arena.finished(job, seconds=30)
    assert machine.processes(mark) == []
    assert machine.processes(f"LIFTLOCK_STEP={job['id']}") == []
    assert ended["status"] == "canceled", ended["error"]
    here.check_nothing_left(ended)
    types = arena.types(job)
    assert types[-1] == "job.canceled"
    assert types.count("job.canceled") == 1


def test_a_job_that_waits_is_canceled_without_ever_starting(arena, site):
    here = site(BUILD='echo line 1; until [ -e "$SHARED_DIR/go" ]; do sleep 0.05; done')
    with arena.workers():
        first = here.request()
        arena.said(first, "line 1")
        second = here.request()
        eventually(lambda: arena.job(second)["status"] == "blocked" or None, "the wait", seconds=10)
        cancel(arena, second)
        ended = arena.finished(second, seconds=10)
        (here.shared / "go").touch()
        assert arena.finished(first, seconds=20)["status"] == "succeeded"
    assert ended["status"] == "canceled"
    assert "job.started" not in arena.types(second)


def test_the_undo_of_a_canceled_job_is_finished_by_the_next_worker(arena, machine, site):
    here = site(START="exec sleep 600")
    first = arena.worker(point="before an undo")
    job = here.request()
    eventually(lambda: here.file("starts") or None, "the site to start", seconds=20)
    cancel(arena, job)
    arena.crashed(first)
    arena.pass_time()
    assert arena.job(job)["status"] == "canceling"
    with arena.workers():
        ended = arena.finished(job, seconds=30)
    assert (ended["status"], ended["outcome"]) == ("canceled", "rolled_back")
    undone = [e["data"]["step"] for e in arena.events(job) if e["type"] == "step.undone"]
    assert undone == ["start", "save-values"]
    run = f"LIFTLOCK_SERVICE={machine.base}/apps/{here.name}/"
    assert machine.processes(run) == []


def test_a_worker_that_dies_in_a_step_after_the_cancel(arena, machine, site):
    here = site(BUILD="trap '' TERM; echo line 1; while :; do sleep 0.1; done")
    first = arena.worker()
    job = here.request()
    arena.said(job, "line 1")
    first_pid = first.pid
    os.kill(first_pid, signal.SIGSTOP)
    cancel(arena, job)
    os.kill(first_pid, signal.SIGKILL)
    arena.pass_time()
    with arena.workers():
        ended = arena.finished(job, seconds=30)
    assert ended["status"] == "canceled"
    assert machine.processes(f"LIFTLOCK_STEP={job['id']}") == []


def test_a_cancel_is_heard_within_6_seconds_while_redis_is_down(arena, site):
    here = site(BUILD="echo line 1; while :; do sleep 0.1; done")
    with arena.workers(hasty=False):
        job = here.request()
        arena.said(job, "line 1")
        arena.redis.stop()
        try:
            cancel(arena, job)
            asked = time.monotonic()

            def heard():
                return "step.canceled" in arena.types(job) or None

            eventually(heard, "the worker to hear of it", seconds=HEARD + 5, explain=arena.logs)
            assert time.monotonic() - asked <= HEARD
        finally:
            arena.redis.start()
        assert arena.finished(job, seconds=20)["status"] == "canceled"
