"""Work on many files at the same time, in processes: Python code and hashing keep a CPU each."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self, TypeVar

from worker.assets.building.parent import end_with
from worker.assets.problem import AssetError, Problem

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

Task = TypeVar("Task")
Result = TypeVar("Result")

_BATCHES = 64


def batches(costs: Mapping[str, int], jobs: int) -> list[list[str]]:
    """The keys in groups of about the same cost, in the order in which to hand them out.

    Groups of neighbors, and at any time from different parts of the tree: processes that make
    files in one folder wait for each other. What is dear by itself comes first.
    """
    enough = sum(costs.values()) / _BATCHES
    dear = sorted((name for name in costs if costs[name] > enough), key=costs.__getitem__)
    groups: list[list[str]] = []
    cost = enough
    for name in costs:
        if costs[name] > enough:
            continue
        if cost >= enough:
            groups.append([])
            cost = 0
        groups[-1].append(name)
        cost += costs[name]
    step = len(groups) // jobs + 1
    return [
        *([name] for name in reversed(dear)),
        *(group for start in range(step) for group in groups[start::step]),
    ]


class Workers:
    """Processes that are started when the first task comes, unless there is one job only."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def each(
        self, run: Callable[[Task], Result], tasks: Sequence[Task], *, is_small: bool
    ) -> Iterator[Result]:
        """Results in any order. What is small is done here: to start processes costs more."""
        if is_small or self._jobs == 1:
            yield from map(run, tasks)
        else:
            yield from self._shared(run, tasks)

    def _shared(self, run: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        from concurrent import futures  # noqa: PLC0415  (a small build does without)
        from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415  (as above)

        self._pool = self._pool or _started(self._jobs)
        try:
            waiting = [self._pool.submit(run, task) for task in tasks]
            for future in futures.as_completed(waiting):
                yield future.result()
        except BrokenProcessPool as error:
            message = "a process of the build was killed, perhaps because the memory was full"
            hint = "build with --jobs 1, which takes the least memory"
            raise AssetError([Problem("process-killed", message)], hint) from error


def _started(jobs: int) -> "ProcessPoolExecutor":
    """A fork is the quickest, and wrong when threads run."""
    import multiprocessing  # noqa: PLC0415  (as above)
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415  (as above)

    is_alone = threading.active_count() == 1
    context = multiprocessing.get_context("fork" if is_alone else "spawn")
    return ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    """Ctrl-C is for the parent, which ends its workers; a killed one leaves none behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with(parent)
