"""A worker whose fences are off, for tests of the judge: it goes on whoever has its job.

The seams are patched from here, so that the product has no hook; a seam that is gone, or a guard
that is spelled in another way, is an AttributeError, and no worker starts.
`python -m tests.chaos.unfenced` is `python -m arq worker.main.WorkerSettings` without

- the guards of a worker's writes in Postgres,
- the watchdog over its lease, and its look at the lock in Redis,
- the tokens and locks that the host compares.
"""

import importlib
import pkgutil
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any

from app import store
from app.gateways.locks import LockLost
from app.store import attempts
from tests.support import crashing
from worker.jobs import run_job
from worker.jobs.lease import Lease
from worker.jobs.locking import JobLocks

#: In a statement with which an attempt writes once it has its job: that it has it still.
_GUARD = re.compile(
    r"\battempt = (\$\d) AND (?:\(lease_until IS NOT NULL\) = (\$\d)|lease_until IS NOT NULL)"
)
_IS_OPEN = "AND status IN ('queued', 'blocked', 'running', 'canceling')"
#: Statements that must have that guard, or nothing would be switched off.
_GUARDED = {
    *("attempts._RENEW", "attempts._SETTLE", "attempts._SUSPEND", "events._APPEND"),
    *("steps._FINISH", "steps._RETRY", "steps._START"),
}
#: Seconds.
_A_DAY = 86_400.0
_WORKER = ("arq", "worker.main.WorkerSettings")


def run(argv: tuple[str, ...], **how: Any) -> None:
    """As `crashing.run`, without fences."""
    switch_off()
    crashing.run(argv, **how)


def switch_off() -> None:
    for module, name in _guarded():
        setattr(module, name, _GUARD.sub(_truth, getattr(module, name)))
    if _IS_OPEN not in attempts._SETTLE:
        raise AttributeError("attempts._SETTLE has no guard against a second end that is known")
    attempts._SETTLE = attempts._SETTLE.replace(_IS_OPEN, "")
    _put(Lease, "left", property(lambda _: _A_DAY))
    _put(JobLocks, "renew", _indifferent(JobLocks.renew))
    _put(run_job, "fence_of", lambda *_: None)


def _guarded() -> list[tuple[ModuleType, str]]:
    """The statements of the store that have the guard."""
    found = {
        f"{module.__name__.rpartition('.')[2]}.{name}": (module, name)
        for module in _rooms()
        for name, text in vars(module).items()
        if isinstance(text, str) and _GUARD.search(text)
    }
    if gone := _GUARDED - found.keys():
        raise AttributeError(f"not there, or without a guard that is known: {sorted(gone)}")
    return list(found.values())


def _rooms() -> Iterator[ModuleType]:
    for room in pkgutil.iter_modules(store.__path__):
        yield importlib.import_module(f"{store.__name__}.{room.name}")


def _truth(guard: re.Match[str]) -> str:
    """What is always true, and keeps the parameters with their types."""
    held = f" AND {guard[2]}::boolean IS NOT NULL" if guard[2] else ""
    return f"{guard[1]}::int IS NOT NULL{held}"


def _put(owner: Any, name: str, new: Any) -> None:
    getattr(owner, name)
    setattr(owner, name, new)


def _indifferent(renew: Callable[[JobLocks], Any]) -> Callable[[JobLocks], Any]:
    async def seam(self: JobLocks) -> None:
        with suppress(LockLost):
            await renew(self)

    return seam


if __name__ == "__main__":
    switch_off()
    sys.argv = list(_WORKER)
    runpy.run_module(_WORKER[0], run_name="__main__", alter_sys=True)
