import os
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.assets.building.parallel import Workers, batches
from worker.assets.problem import AssetError

COSTS = st.dictionaries(st.text(max_size=3), st.integers(0, 1_000), max_size=300)


def square(number):
    return os.getpid(), number * number


def end(_):
    os.kill(os.getpid(), signal.SIGKILL)


@given(COSTS, st.integers(1, 5))
def test_each_file_is_in_one_batch(costs, jobs):
    shared = [name for batch in batches(costs, jobs) for name in batch]
    assert sorted(shared) == sorted(costs)


@given(COSTS, st.integers(1, 5))
def test_no_batch_is_empty(costs, jobs):
    assert all(batches(costs, jobs))


def test_a_dear_file_comes_first_and_alone():
    costs = {"a": 1, "b": 1_000, "c": 1}
    assert batches(costs, 2)[0] == ["b"]


@pytest.mark.parametrize(("jobs", "is_small"), [(1, False), (2, True)])
def test_what_is_small_or_alone_is_done_here(jobs, is_small):
    with Workers(jobs) as workers:
        assert list(workers.each(square, [2, 3], is_small=is_small)) == [
            (os.getpid(), 4),
            (os.getpid(), 9),
        ]


def test_processes_work_beside_running_threads():
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with Workers(2) as workers:
            results = list(workers.each(square, range(10), is_small=False))
    finally:
        ended.set()
        thread.join()
    assert sorted(result for _, result in results) == [number * number for number in range(10)]
    assert os.getpid() not in {process for process, _ in results}


def test_a_killed_process_is_told():
    with Workers(2) as workers, pytest.raises(AssetError, match="was killed"):
        list(workers.each(end, [1], is_small=False))
