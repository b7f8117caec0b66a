"""A worker whose `enroll` jobs have a plan of the benchmark's; all else is the product's own.

Claim, lock, lease, journal, fences, engine, SSH and settle are those of `worker.main`.
"""

import os
from typing import Any

from benchmarks import plans
from worker.jobs.journal import Journal
from worker.main import WorkerSettings
from worker.plans import enroll
from worker.remote.ssh_host import SshHost

__all__ = ["WorkerSettings"]


async def _nothing(*_arguments: Any) -> None:
    """What is left of an action without effect."""


_PLAN = plans.plan(os.environ[plans.CHOICE])
enroll.plan = lambda: _PLAN
if os.environ[plans.CHOICE] == plans.NOTHING:
    # A note is the step's action; its two events and its row are written around it. The hosts of
    # such jobs do not exist, so nobody can look after their folders.
    Journal.note = SshHost.tidy = _nothing  # type: ignore[method-assign, assignment]
