"""Workers are told to stop while a step runs: nothing is lost, repeated or counted as a failure."""

import os
import signal
import time

import pytest

from tests.support.arena import LINES
from tests.support.stack import eventually

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

#: Says one line in each worker's time: it waits for a file of that number.
PATIENT = """\
echo build >> "$SHARED_DIR/effects"; n=1
while [ "$n" -le 20 ]; do
  echo "line $n"; n=$((n + 1))
  while [ ! -e "$SHARED_DIR/$n" ] && [ ! -e "$SHARED_DIR/go" ]; do sleep 0.05; done
done
"""


def test_ten_workers_in_a_row_are_stopped_in_the_middle_of_a_step(arena, site):
    here = site(BUILD=PATIENT)
    job = here.request()
    for number in range(1, 11):
        worker = arena.worker()
        here.shared.mkdir(parents=True, exist_ok=True)
        (here.shared / str(number)).touch()
        arena.said(job, f"line {number}\n")
        worker.terminate()
        worker.join(10)
        assert worker.exitcode == 0, arena.logs()
        assert arena.job(job)["status"] == "queued"
    (here.shared / "go").touch()
    with arena.workers():
        here.check(job, attempts=11)
    types = arena.types(job)
    assert types.count("job.handed_over") == 10
    assert "job.recovered" not in types
    [row] = arena.sql("SELECT lost_workers FROM jobs WHERE id = $1", job["id"])
    assert row["lost_workers"] == 0
    assert arena.lines(job) == LINES


def test_a_second_signal_hands_over_at_once(arena, site):
    here = site(BUILD=PATIENT)
    worker = arena.worker(hasty=False)
    job = here.request()
    arena.said(job, "line 1\n")
    worker.terminate()
    eventually(
        lambda: "worker.draining" in arena.log_of(worker) or None, "the first signal", seconds=5
    )
    again = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    worker.join(10)
    assert time.monotonic() - again < 2
    assert worker.exitcode == 0
    assert arena.job(job)["status"] == "queued"
    (here.shared / "go").touch()
    with arena.workers():
        here.check(job, attempts=2)


def test_a_worker_that_stops_waits_for_the_end_of_a_step_that_is_short(arena, site):
    here = site(BUILD=PATIENT)
    worker = arena.worker(hasty=False)
    job = here.request()
    arena.said(job, "line 1\n")
    worker.terminate()
    (here.shared / "go").touch()
    worker.join(15)
    assert worker.exitcode == 0
    types = arena.types(job)
    assert types[-1] == "job.handed_over"
    assert types[-2] != "step.started"
    with arena.workers():
        here.check(job, attempts=2)
