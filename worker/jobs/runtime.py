"""The handles of one worker process, made by its composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from app.domain.asset_release import AssetPlace
from app.domain.provider_spec import ProviderSpec
from app.gateways.locks import Locks
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.gateways.wakeups import Wakeups
from app.store.database import Database
from worker.remote.hosts import Pool


@dataclass(frozen=True)
class Runtime:
    db: Database
    queue: JobQueue
    locks: Locks
    vault: Vault
    wakeups: Wakeups
    #: The connections to hosts, shared by all jobs.
    pool: Pool
    #: host:pid, as it stands in events and in `jobs.worker`.
    name: str
    #: Whether the worker was told to stop: work ends at the next boundary.
    draining: Callable[[], bool] = lambda: False
    #: Take no further job for a few seconds.
    rest: Callable[[], None] = lambda: None
    #: Jobs that may run at a time, on all workers together; 0 is no bound.
    most_running: int = 0
    #: How long the events of ended jobs are kept.
    events_kept: timedelta = timedelta(days=90)
    #: Where asset releases are published; None: nowhere.
    asset_place: AssetPlace | None = None
    #: Where contents of static files are kept from release to release.
    assets_cache: Path | None = None
    #: Whether app servers are asked before requests are passed on to them; benchmarks say no.
    health_gate: bool = True
    #: Who makes machines, by name.
    providers: Mapping[str, ProviderSpec] = field(default_factory=dict)
    #: How long a router is left between two looks at it; None: nobody looks.
    look_every: timedelta | None = None
    #: How long the extensions of an instance are left between two looks; None: nobody looks.
    extension_look_every: timedelta | None = None
    #: When the old folders of each host were last removed, by this process's clock.
    tidied: dict[UUID, float] = field(default_factory=dict)


def runtime_of(ctx: dict[str, Any]) -> Runtime:
    runtime: Runtime = ctx["runtime"]
    return runtime
