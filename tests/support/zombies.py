"""Seams of a worker that has a successor and does not know it: what refuses it says so in its log.

Its heartbeat and its watchdog are off, so that nothing but the refusals can stop it.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from app import services
from app.errors import LostOwnership
from worker.jobs.lease import Lease
from worker.jobs.locking import JobLocks
from worker.remote.errors import StaleToken
from worker.remote.ssh_host import SshHost

#: Begins a line of its log, before the name of what was tried.
POSTGRES, HOST = "zombie: Postgres refused", "zombie: the host refused"

_WRITES = {
    services.execution: [
        "finish_step",
        "keep_plan",
        "mark_prepared",
        "move_app_server",
        "record",
        "retry_step",
        "set_commit",
        "start_step",
    ],
    services.ending: ["settle"],
    services.claiming: ["hand_over", "suspend"],
}
_DEEDS = ["run", "send", "kill", "reap", "clean"]


def unaware() -> None:
    """It works on until somebody refuses it."""
    _do_not_look()
    _refusals(ignored=False)


def stubborn() -> None:
    """It works on although Postgres refuses everything: the host is left to stop it."""
    _do_not_look()
    _refusals(ignored=True)


def _do_not_look() -> None:
    _replace(services.claiming, "renew", _nothing)
    _replace(JobLocks, "renew", _nothing)
    _replace(Lease, "left", property(lambda _: math.inf))


def _refusals(*, ignored: bool) -> None:
    for owner, names in _WRITES.items():
        for name in names:
            _tell(owner, name, LostOwnership, f"{POSTGRES} {name}", ignored=ignored)
    for name in _DEEDS:
        _tell(SshHost, name, StaleToken, f"{HOST} {name}")


def _tell(
    owner: Any, name: str, refusal: type[Exception], words: str, *, ignored: bool = False
) -> None:
    real: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def seam(*args: Any, **kwargs: Any) -> Any:
        try:
            return await real(*args, **kwargs)
        except refusal as error:
            print(f"{words}: {error}", flush=True)  # noqa: T201 - its log
            if not ignored:
                raise
            return []

    setattr(owner, name, seam)


def _replace(owner: Any, name: str, seam: Any) -> None:
    getattr(owner, name)  # a seam that is gone is an AttributeError
    setattr(owner, name, seam)


async def _nothing(*_: Any, **__: Any) -> None:
    """No heartbeat."""
