"""Work on many files at the same time, in processes: Python code and hashing keep a CPU each.

Forked by hand: to load the pools of the standard library takes as long as a small build.
"""

import os
import pickle
import select
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Self, TypeVar

from worker.assets.building.parent import end_with
from worker.assets.problem import AssetError, Problem

Key = TypeVar("Key")
Task = TypeVar("Task")
Result = TypeVar("Result")

_BATCHES = 64
#: Bytes of the number of a task, and of the size of a result.
_NUMBER, _SIZE = 2, 8
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def batches(costs: Mapping[Key, int], jobs: int) -> list[list[Key]]:
    """The keys in groups of about the same cost, in the order in which to hand them out.

    Groups of neighbors, and at any time from different parts of the tree: processes that make
    files in one folder wait for each other. What is dear by itself comes first.
    """
    enough = sum(costs.values()) / _BATCHES
    dear = sorted((name for name in costs if costs[name] > enough), key=costs.__getitem__)
    groups: list[list[Key]] = []
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
    """Processes for one build; those that still run when it ends are ended."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        #: By the pipe that its results come through.
        self._running: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for results in list(self._running):
            self._end(results)

    @property
    def running(self) -> tuple[int, ...]:
        """The processes, by number."""
        return tuple(self._running.values())

    def each(
        self, run: Callable[[Task], Result], tasks: Sequence[Task], *, is_small: bool
    ) -> Iterator[Result]:
        """Results in any order. Done here is what is small, for which processes cost more than
        they bring, and what runs beside threads, which a fork would leave in the middle of things.
        """
        if is_small or self._jobs == 1 or threading.active_count() > 1:
            yield from map(run, tasks)
        else:
            yield from self._shared(run, tasks)

    def _shared(self, run: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        queue = _queue(len(tasks))
        with suppress(OSError):  # a limit of processes or files: fewer do it too
            for _ in range(min(self._jobs, len(tasks))):
                self._start(run, tasks, queue)
        os.close(queue)
        if self._running:
            yield from self._results(len(tasks))
        else:
            yield from map(run, tasks)

    def _results(self, wanted: int) -> Iterator[Any]:
        # Not select(), which takes no descriptor beyond 1,023.
        waiting = select.poll()
        for results in self._running:
            waiting.register(results, select.POLLIN)
        while self._running:
            for results, _ in waiting.poll():
                try:
                    result = _received(results)
                except EOFError:
                    waiting.unregister(results)
                    if self._end(results):
                        raise _killed() from None
                    continue
                if isinstance(result, Exception):
                    raise result
                wanted -= 1
                yield result
        if wanted:
            raise _killed()

    def _start(self, run: Callable[[Task], Result], tasks: Sequence[Task], queue: int) -> None:
        reading, writing = os.pipe()
        parent = os.getpid()
        # Until the process has its own handlers, a signal would run the parent's there.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process = os.fork()
            if not process:
                _work(run, tasks, queue, writing, parent)
            self._running[reading] = process
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _end(self, results: int) -> int:
        """How the process ended: 0 when it had done its part, or when nobody knows."""
        os.close(results)
        try:
            return os.waitpid(self._running.pop(results), 0)[1]
        except ChildProcessError:  # whoever started the build has signals of children ignored
            return 0


def _queue(tasks: int) -> int:
    """The numbers of the tasks in a pipe: whoever is free takes the next. No process fills it."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as numbers:
        numbers.writelines(number.to_bytes(_NUMBER) for number in range(tasks))
    return reading


def _work(
    run: Callable[[Task], Result], tasks: Sequence[Task], queue: int, results: int, parent: int
) -> NoReturn:
    """All that a process does; nothing of the parent's that is open here runs to its end."""
    try:
        # Ctrl-C is for the parent, which ends its workers; a killed one leaves none behind.
        for handled in _SIGNALS:
            signal.signal(handled, signal.SIG_IGN)
        end_with(parent)
        with os.fdopen(results, "wb") as answers:
            while number := os.read(queue, _NUMBER):
                result = pickle.dumps(_result(run, tasks[int.from_bytes(number)]))
                answers.write(len(result).to_bytes(_SIZE) + result)
                answers.flush()
        os._exit(0)
    finally:
        with suppress(OSError):
            traceback.print_exc()
        os._exit(1)


def _result(run: Callable[[Task], Result], task: Task) -> Result | Exception:
    try:
        return run(task)
    except Exception as error:  # noqa: BLE001 - it is raised where the results are read
        error.add_note(traceback.format_exc())
        return error


def _received(results: int) -> Any:
    """Raises EOFError when the process has ended."""
    return pickle.loads(_exactly(results, int.from_bytes(_exactly(results, _SIZE))))  # noqa: S301 - from a process of our own


def _exactly(pipe: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(pipe, size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _killed() -> AssetError:
    message = "a process of the build was killed, perhaps because the memory was full"
    hint = "build with --jobs 1, which takes the least memory"
    return AssetError([Problem("process-killed", message)], hint)
