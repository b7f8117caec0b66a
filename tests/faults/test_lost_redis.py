"""Redis is away or forgets: every job that was answered with 202 runs all the same, once."""

import threading
from collections import Counter

import pytest

from tests.support.arena import BUILD
from tests.support.crashing import Fate
from tests.support.stack import eventually

#: With the first of a file comes its arena.
pytestmark = pytest.mark.timeout(120)

#: What an outage meets: the point at which the worker stands still meanwhile.
PHASES = [
    "claimed",
    "started on the host",
    "output written",
    "between two steps",
    "before the end is written",
]
DRY = 490
#: Goes on when it is told to.
PATIENT = BUILD.replace(
    'echo "line 1";', 'echo "line 1"; while [ ! -e "$SHARED_DIR/go" ]; do sleep 0.05; done;'
)


def test_a_job_is_taken_while_redis_is_down_and_runs_when_it_is_back(arena, site):
    here = site()
    with arena.workers():
        arena.redis.stop()
        job = here.request()
        arena.redis.start()
        here.check(job, attempts=1)


@pytest.mark.timeout(180)
def test_500_queued_jobs_survive_the_loss_of_everything_in_redis(arena, site):
    real = [site() for _ in range(3)]
    jobs = arena.request_many(DRY, real[0].name, dry_run=True)
    jobs += [here.request() for here in real]
    with arena.redis.client() as redis:
        redis.flushall()
    with arena.workers(2):
        arena.all_finished(seconds=120)
    check_each_ran_once(arena, jobs)
    for here, job in zip(real, jobs[DRY:], strict=True):
        here.check(job, attempts=1)


def test_jobs_run_once_while_redis_forgets_everything_twice_a_second(arena, site):
    real = [site() for _ in range(3)]
    over = threading.Event()

    def forget():
        with arena.redis.client() as redis:
            while not over.wait(0.5):
                redis.flushall()

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        with arena.workers(2):
            jobs = arena.request_many(20, real[0].name, dry_run=True)
            jobs += [here.request() for here in real]
            arena.all_finished(seconds=50)
    finally:
        over.set()
        thread.join()
    check_each_ran_once(arena, jobs)
    for here, job in zip(real, jobs[20:], strict=True):
        here.check(job, attempts=1)


@pytest.mark.parametrize("phase", PHASES)
def test_redis_is_started_again_in_any_phase_of_a_job(arena, site, phase):
    here = site()
    worker = arena.worker(point=phase, fate=Fate.STOPPED)
    job = here.request()
    arena.stopped(worker)
    arena.redis.stop()
    arena.goes_on(worker)
    arena.redis.start()
    arena.finished(job, seconds=30)
    arena.pass_time()  # a lock that could not be given back is gone after its time
    here.check(job, attempts=1)


def test_an_idle_worker_can_be_stopped_while_redis_hangs(arena):
    with arena.redis.client() as redis:
        redis.flushall()
        worker = arena.worker()
        eventually(lambda: redis.keys("arq:health:*") or None, "the worker", seconds=30)
    with arena.redis.hanging():
        worker.terminate()
        worker.join(30)
        assert worker.exitcode == 0, arena.log_of(worker)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_busy_worker_hands_over_while_redis_hangs(arena, site, signals):
    here = site(BUILD=PATIENT)
    worker = arena.worker(hasty=signals == 1)
    job = here.request()
    arena.said(job, "line 1\n")
    with arena.redis.hanging():
        worker.terminate()
        if signals > 1:
            eventually(lambda: _drains(arena, worker), "the first signal", seconds=30)
            worker.terminate()
        worker.join(30)
        assert worker.exitcode == 0, arena.log_of(worker)
        assert arena.job(job)["status"] == "queued"
    (here.shared / "go").touch()
    with arena.workers():
        here.check(job, attempts=2)


def _drains(arena, worker):
    return "worker.draining" in arena.log_of(worker) or None


def check_each_ran_once(arena, jobs):
    """Exactly one start and one end of each, and numbers without a gap."""
    rows = arena.sql("SELECT job_id, seq, type FROM events ORDER BY job_id, seq")
    told = {}
    for row in rows:
        told.setdefault(str(row["job_id"]), []).append((row["seq"], row["type"]))
    for job in jobs:
        numbers, types = zip(*told[job["id"]], strict=True)
        assert numbers == tuple(range(1, len(numbers) + 1))
        counted = Counter(types)
        assert counted["job.started"] == 1
        assert counted["job.succeeded"] == 1
        assert not counted.keys() & {"job.failed", "job.recovered", "job.canceled"}
