"""Old folders of steps on a host: removed now and then, by whoever works there anyway."""

import asyncio
import time
from contextlib import suppress

from app.domain.job import JobKind
from app.services.work import Work
from worker import engine
from worker.jobs.runtime import Runtime
from worker.remote.errors import RemoteError
from worker.remote.host import Host

#: Seconds between two removals on one host, and days for which a folder is kept.
EVERY, KEEP_DAYS = 3_600.0, 7
#: Seconds that it may take.
MOST = 5.0


async def tidy(runtime: Runtime, work: Work, host: Host, outcome: engine.Outcome) -> None:
    """Jobs remove their own folders; this is for what crashes and lost connections left."""
    now, last = time.monotonic(), runtime.tidied.get(work.host.id)
    is_removed = work.machine is not None and work.job.kind is JobKind.TERMINATE
    is_gone = is_removed or work.job.params.get("gone")
    well = outcome.error is None and outcome.stopped is None and not is_gone
    if not well or work.host.host_key is None or (last is not None and now - last < EVERY):
        return
    runtime.tidied[work.host.id] = now
    # The job is done and waits to be told so: when this does not go at once, another job tidies.
    with suppress(RemoteError, TimeoutError):
        async with asyncio.timeout(MOST):
            await host.tidy(KEEP_DAYS)
