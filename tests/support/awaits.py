"""A coroutine cancelled at its k-th await, for every k.

An await that finds its answer there does not give the task away, and no cancel can come in
between: only where the task really is suspended can it be cancelled. So suspensions are counted,
not `await` keywords. `_Counted` stands between a task and its coroutine and hands on, step by
step, what the coroutine yields: each value yielded is one suspension, wherever below it comes
from (asyncpg, redis-py, a greenlet of SQLAlchemy, an inner shield). What inner tasks wait for is
theirs; their owner waits once, for them.

At the k-th one the task is cancelled in one of two moments. UNANSWERED: just as it goes to sleep,
the request is on the wire and its answer is never read. ANSWERED: the answer is there, the task
is due to be woken with it, and gets the cancel instead; what it asked for was done. STUBBORN: as
UNANSWERED, and then again at every suspension, whatever the coroutine still has to put in order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

#: A run suspends once less than another where an answer is there before it is asked for; so often
#: a run with that suspension is sought.
_TRIES = 10


class Moment(Enum):
    UNANSWERED = auto()
    ANSWERED = auto()
    STUBBORN = auto()


class Skipped(AssertionError):
    """A run ended before a suspension that the undisturbed run had: nothing was cancelled there."""


class Swallowed(AssertionError):
    """The cancel was delivered, and the coroutine ended in another way than cancelled."""


@dataclass(frozen=True)
class Run:
    """One run: its suspensions, whether it was cancelled at one of them, and its result."""

    suspensions: int
    was_cancelled: bool
    result: Any = None

    def __str__(self) -> str:
        cancelled = f"cancelled at suspension {self.suspensions}"
        return cancelled if self.was_cancelled else f"undisturbed, {self.suspensions} suspensions"


async def run(
    work: Coroutine[Any, Any, Any], *, cancel_at: int = 0, moment: Moment = Moment.UNANSWERED
) -> Run:
    """Run it in a task of its own, and cancel it at its suspension number `cancel_at`, if any.

    Raises Swallowed when the cancelled task returned or raised something else; an error of a run
    that was not cancelled is raised as it is.
    """
    counted = _Counted(work, cancel_at, moment)
    task = asyncio.create_task(_drive(counted))
    await asyncio.wait({task})
    if not counted.has_struck:
        return Run(counted.suspensions, was_cancelled=False, result=task.result())
    if not task.cancelled():
        end = task.exception() or f"the result {task.result()!r}"
        raise Swallowed(f"Cancelled at suspension {cancel_at} ({moment.name}), it ended with {end}")
    return Run(cancel_at, was_cancelled=True)


async def sweep(
    prepare: Callable[[], Awaitable[Coroutine[Any, Any, Any]]],
    check: Callable[[Run], Awaitable[None]],
    *,
    moment: Moment,
    early: int = 1,
) -> int:
    """Run undisturbed, then cancelled at the 1st, 2nd, 3rd … suspension until one run gets through.

    `prepare` makes the same coroutine in the same circumstances, `check` looks at what each run
    left. So many answers may always have come `early`. Returns the number of suspensions; raises
    Skipped, Swallowed and what `check` raises.
    """
    whole = await run(await prepare())
    await check(whole)
    cancelled = 0
    while True:
        found = await _run_until(prepare, check, cancelled + 1, whole.suspensions, moment)
        if not found.was_cancelled:
            break
        cancelled += 1
    if cancelled < whole.suspensions - early:
        raise Skipped(f"{whole.suspensions} suspensions, cancelled at {cancelled} ({moment.name})")
    return cancelled


async def _run_until(
    prepare: Callable[[], Awaitable[Coroutine[Any, Any, Any]]],
    check: Callable[[Run], Awaitable[None]],
    number: int,
    expected: int,
    moment: Moment,
) -> Run:
    """The run that is cancelled there; or the last one that had no such suspension."""
    for _ in range(_TRIES):
        found = await run(await prepare(), cancel_at=number, moment=moment)
        await check(found)
        if found.was_cancelled or number > expected:
            break
    return found


async def _drive(counted: "_Counted") -> Any:
    return await counted


class _Counted:
    def __init__(self, work: Coroutine[Any, Any, Any], cancel_at: int, moment: Moment) -> None:
        self._work, self._cancel_at, self._moment = work, cancel_at, moment
        self.suspensions = 0
        self.has_struck = False

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[], Any] = lambda: self._work.send(None)  # noqa: E731 - it changes below
        while True:
            try:
                awaited = step()
            except StopIteration as end:
                return end.value
            self.suspensions += 1
            if self._is_time():
                self._strike(awaited)
            try:
                answer = yield awaited
            except BaseException as error:  # noqa: BLE001 - whatever is thrown belongs inside
                step = _throwing(self._work, error)
            else:
                step = _sending(self._work, answer)

    def _is_time(self) -> bool:
        is_again = self.has_struck and self._moment is Moment.STUBBORN
        return is_again or self.suspensions == self._cancel_at

    def _strike(self, awaited: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.has_struck = True
        if self._moment is not Moment.ANSWERED or awaited is None:
            # The task cancels what it waits for as soon as it sees what was yielded.
            task.cancel()
        else:
            # Added before the task's own callback, so it comes before the task wakes.
            awaited.add_done_callback(lambda _: task.cancel())


def _throwing(work: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


def _sending(work: Coroutine[Any, Any, Any], answer: Any) -> Callable[[], Any]:
    return lambda: work.send(answer)
