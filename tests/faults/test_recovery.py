"""What the documents promise about a worker's death, with the real numbers."""

import os
import signal
import time

import pytest

from tests.support.arena import LINES
from tests.support.stack import eventually

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

#: DESIGN: a successor has the job at most so many seconds after its worker's death.
BOUND = 20.0

#: Lines at a steady pace, for longer than it takes to be found again.
LONG = """\
echo "line 1"; echo build >> "$SHARED_DIR/effects"; n=2
while [ "$n" -le 20 ]; do sleep 1.2; echo "line $n"; n=$((n + 1)); done
"""


def test_a_successor_is_attached_to_the_running_step_within_20_seconds(arena, site):
    here = site(BUILD=LONG)
    first = arena.worker(hasty=False)
    job = here.request()
    arena.said(job, "line 2")
    with arena.workers(hasty=False):
        os.kill(first.pid, signal.SIGKILL)
        killed, before = time.monotonic(), len(arena.lines(job))

        def attached():
            assert arena.job(job)["status"] in {"queued", "running"}
            types = arena.types(job)
            return (types.count("job.started") == 2 and len(arena.lines(job)) > before) or None

        eventually(attached, "a successor", seconds=BOUND + 5, explain=arena.logs)
        assert time.monotonic() - killed <= BOUND
        assert arena.job(job)["status"] == "running"
        here.check(job, attempts=2)
    assert arena.lines(job) == LINES
