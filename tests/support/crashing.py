"""Composition roots for tests: the real processes, quicker, and dead by SIGKILL at a named point.

The seams are patched from here, so that the product has no hook; a seam that is gone is an
AttributeError, and the process then does not die as its test expects.
"""

import contextlib
import os
import runpy
import signal
import sys
import warnings
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from typing import Any

from app import services, store
from app.domain.event import EventType
from app.errors import Unavailable
from app.gateways.locks import Locks
from app.gateways.queue import JobQueue
from worker import consumer
from worker.engine.context import Context
from worker.jobs import sweep
from worker.jobs.journal import Journal
from worker.jobs.locking import JobLocks
from worker.remote import following, ssh
from worker.remote.ssh_host import SshHost
from worker.steps.step import Step

#: The step in whose middle the crashes are, unless a test names another; see the recipe in
#: `tests.support.arena`.
STEP = "build-build"

Condition = Callable[..., bool]


class Fate(Enum):
    """What happens at the point, once."""

    KILLED = auto()
    #: So that the test can do something to others at that moment.
    STOPPED = auto()
    #: What was done is done, but the connection to Postgres broke before it said so.
    UNANSWERED = auto()


_FATE = Fate.KILLED
_WAS_THERE: list[Fate] = []


def run(
    argv: tuple[str, ...],
    *,
    environment: Mapping[str, str],
    log: str,
    point: str | None = None,
    step: str = STEP,
    fate: Fate = Fate.KILLED,
    hasty: bool = True,
    also: Callable[[], None] | None = None,
) -> None:
    """Be this process: `argv` as behind `python -m`. For multiprocessing, from its fork server.

    `also` is called first: further seams.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(environment)
    if hasty:
        hurry()
    if also:
        also()
    if point:
        _choose(fate, step)
        POINTS[point]()
    sys.argv = list(argv)
    with warnings.catch_warnings(), contextlib.suppress(KeyboardInterrupt):
        warnings.simplefilter("ignore", RuntimeWarning)  # the module is known already
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


def _choose(fate: Fate, step: str) -> None:
    global _FATE, STEP
    _FATE, STEP = fate, step


def hurry() -> None:
    """Look around five times a second, and wait half a second for a boundary when told to stop."""
    sweep.EVERY = 0.2
    consumer.DRAIN = 0.5


def meet() -> None:
    """Once: a process that was not killed goes on."""
    if _WAS_THERE:
        return
    _WAS_THERE.append(_FATE)
    match _FATE:
        case Fate.KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        case Fate.STOPPED:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Fate.UNANSWERED:
            raise Unavailable("The connection broke.")


def before(owner: Any, name: str, when: Condition = lambda *_, **__: True) -> None:
    """Die instead of calling it."""
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def seam(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            meet()
        return await real(*args, **kwargs)

    setattr(owner, name, seam)


def after(owner: Any, name: str, when: Condition = lambda *_, **__: True) -> None:
    """Die when it has come back without an error."""
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def seam(*args: Any, **kwargs: Any) -> Any:
        answer = await real(*args, **kwargs)
        if when(*args, **kwargs):
            meet()
        return answer

    setattr(owner, name, seam)


def _is_step(*_: Any, **named: Any) -> bool:
    """An intent of the step in question."""
    return bool(named["name"] == STEP)


def _is_result(*_: Any, **named: Any) -> bool:
    """A result of the step in question."""
    return bool(named["event"][1]["step"] == STEP)


def _says(text: str) -> Condition:
    def look(*args: Any, **_: Any) -> bool:
        return any(
            event[0] is EventType.STEP_OUTPUT and text in event[1]["text"] for event in args[2:]
        )

    return look


def _has_ended(_: Journal, __: int, step: Step, **___: Any) -> bool:
    return step.name == STEP


def _is_undo(*_: Any, name: str, **__: Any) -> bool:
    return name.endswith("-undo")


def _started(*, undo: bool) -> None:
    """When the runner on the host has said that the step, or an undo, runs now."""
    is_it, real = _suffix(), following.Following._obey

    def seam(self: following.Following, answer: Any) -> None:
        real(self, answer)
        ours = self._name.endswith("-undo") if undo else is_it(self._name)
        if answer.word == "STARTED" and ours:
            meet()

    following.Following._obey = seam  # type: ignore[method-assign]


def _suffix() -> Condition:
    """Whether a name on the host is that of the step, whose number is heard from its intent."""
    number = ""

    async def learn(*_: Any, **named: Any) -> None:
        nonlocal number
        if named["name"] == STEP:
            number = str(named["number"])

    _beside(services.execution, "start_step", learn)
    return lambda name: bool(number) and name.endswith(f"-{number}")


def _beside(owner: Any, name: str, also: Callable[..., Awaitable[None]]) -> None:
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def seam(*args: Any, **kwargs: Any) -> Any:
        await also(*args, **kwargs)
        return await real(*args, **kwargs)

    setattr(owner, name, seam)


def _dispatched() -> None:
    """The dispatcher has marked the row and the transaction is over; nothing is pushed yet."""
    taken = False

    async def take(*_: Any, **__: Any) -> None:
        nonlocal taken
        taken = True

    _beside(store.outbox, "take_unclaimed", take)
    before(JobQueue, "push", lambda *_, **__: taken)


def _at_every_intent() -> None:
    """Stands still at the beginning of every step; a connection is given up after a second."""
    options = ssh._options

    def impatient(*args: Any) -> dict[str, Any]:
        return {**options(*args), "keepalive_interval": 0.5, "keepalive_count_max": 1}

    ssh._options = impatient
    real = services.execution.start_step

    async def seam(*args: Any, **kwargs: Any) -> None:
        await real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGSTOP)

    services.execution.start_step = seam  # type: ignore[assignment]


POINTS: dict[str, Callable[[], None]] = {
    "api: committed, not pushed": lambda: before(JobQueue, "push"),
    "api: pushed": lambda: after(JobQueue, "push"),
    "locks taken, not claimed": lambda: after(JobLocks, "acquire"),
    "every intent": _at_every_intent,
    "claimed": lambda: after(services.claiming, "claim"),
    "before the intent": lambda: before(services.execution, "start_step", _is_step),
    "after the intent": lambda: after(services.execution, "start_step", _is_step),
    "started on the host": lambda: _started(undo=False),
    "output read, not written": lambda: before(services.execution, "record", _says("line 10")),
    "output written": lambda: after(services.execution, "record", _says("line 10")),
    "done on the host, not written": lambda: before(services.execution, "finish_step", _is_result),
    "result written, not cleaned": lambda: after(services.execution, "finish_step", _is_result),
    "between two steps": lambda: after(Journal, "step_succeeded", _has_ended),
    "before an undo": lambda: before(SshHost, "run", _is_undo),
    "undo started on the host": lambda: _started(undo=True),
    "undo done, not written": lambda: after(SshHost, "run", _is_undo),
    "all steps done, not cleaned": lambda: before(Context, "tidy"),
    "before the end is written": lambda: before(services.ending, "settle"),
    "end written": lambda: after(services.ending, "settle"),
    "end written, locks held": lambda: before(JobLocks, "release"),
    "locks released, nobody woken": lambda: after(Locks, "release"),
    "dispatcher: marked, not pushed": _dispatched,
    "handed over, not pushed": lambda: after(services.claiming, "hand_over"),
}
