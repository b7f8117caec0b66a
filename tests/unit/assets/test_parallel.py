import fcntl
import os
import resource
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


def long(number):
    return str(number) * 1_000_000


def divide(number):
    return 1 / number


def square_or_wait(number):
    if number == "wait":
        signal.pause()
    return square(number)


def raise_signals(number):
    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), sent)
    return number


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


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


def test_what_runs_beside_threads_is_done_here():
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        with Workers(2) as workers:
            results = list(workers.each(square, range(10), is_small=False))
    finally:
        ended.set()
        thread.join()
    assert results == [(os.getpid(), number * number) for number in range(10)]


def test_processes_share_the_work():
    with Workers(3) as workers:
        results = list(workers.each(square, range(200), is_small=False))
    assert sorted(result for _, result in results) == [number**2 for number in range(200)]
    assert os.getpid() not in {process for process, _ in results}


def test_a_result_longer_than_a_pipe_holds_comes_whole():
    with Workers(2) as workers:
        results = list(workers.each(long, range(4), is_small=False))
    assert sorted(results) == [str(number) * 1_000_000 for number in range(4)]


def test_an_error_comes_with_the_place_where_it_was_raised():
    with Workers(2) as workers, pytest.raises(ZeroDivisionError) as raised:
        list(workers.each(divide, [0], is_small=False))
    assert "in divide" in "".join(raised.value.__notes__)


def test_processes_end_when_nobody_wants_the_rest(tmp_path):
    with Workers(2) as workers:
        process, _ = next(workers.each(square_or_wait, [1, "wait"], is_small=False))
        assert process in workers.running
        running = workers.running
    assert not any(is_there(process) for process in running)


def test_signals_reach_the_parent_as_before():
    with Workers(2) as workers:
        list(workers.each(square, range(2), is_small=False))
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_killed_process_is_told():
    with Workers(2) as workers, pytest.raises(AssetError, match="was killed"):
        list(workers.each(end, [1], is_small=False))


@pytest.fixture
def children_forgotten():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


def test_who_ignores_signals_of_children_gets_all_results(children_forgotten):
    """Such a parent's choice outlives the start of the program, and the kernel buries children."""
    with Workers(2) as workers:
        results = list(workers.each(square, range(20), is_small=False))
    assert len(results) == 20


def test_who_ignores_signals_of_children_is_told_of_a_killed_one(children_forgotten):
    with Workers(2) as workers, pytest.raises(AssetError, match="was killed"):
        list(workers.each(end, [1], is_small=False))


def test_without_room_for_processes_the_work_is_done_here(monkeypatch):
    def full():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    with Workers(2) as workers:
        results = list(workers.each(square, range(3), is_small=False))
    assert results == [(os.getpid(), 0), (os.getpid(), 1), (os.getpid(), 4)]


def test_signals_of_the_group_do_not_end_a_worker():
    with Workers(2) as workers:
        results = workers.each(raise_signals, range(6), is_small=False)
        assert sorted(results) == list(range(6))


def test_whoever_has_a_thousand_files_open_gets_all_results(monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2_048)), hard))
    pipe = os.pipe

    def high():
        low = pipe()
        found = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 1_100) for end in low)
        for end in low:
            os.close(end)
        return found

    monkeypatch.setattr(os, "pipe", high)
    with Workers(2) as workers:
        results = list(workers.each(square, range(20), is_small=False))
    assert len(results) == 20
    assert os.getpid() not in {process for process, _ in results}
