"""The handles of one worker process, made by its composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.gateways.locks import Locks
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.store.database import Database


@dataclass(frozen=True)
class Runtime:
    db: Database
    queue: JobQueue
    locks: Locks
    vault: Vault
    #: host:pid, as it stands in events and in `jobs.worker`.
    name: str
    #: Whether the worker was told to stop: work ends at the next boundary.
    draining: Callable[[], bool] = lambda: False


def runtime_of(ctx: dict[str, Any]) -> Runtime:
    runtime: Runtime = ctx["runtime"]
    return runtime
