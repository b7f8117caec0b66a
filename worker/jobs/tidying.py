"""Old folders of steps on a host: removed now and then, by whoever works there anyway."""

import time

from app.services.work import Work
from worker import engine
from worker.jobs.runtime import Runtime
from worker.remote.errors import RemoteError
from worker.remote.host import Host

#: Seconds between two removals on one host, and days for which a folder is kept.
EVERY, KEEP_DAYS = 3_600.0, 7


async def tidy(runtime: Runtime, work: Work, host: Host, outcome: engine.Outcome) -> None:
    """Jobs remove their own folders; this is for what crashes and lost connections left."""
    now, last = time.monotonic(), runtime.tidied.get(work.host.id)
    well = outcome.error is None and outcome.stopped is None
    if not well or work.host.host_key is None or (last is not None and now - last < EVERY):
        return
    runtime.tidied[work.host.id] = now
    try:
        await host.tidy(KEEP_DAYS)
    except RemoteError:
        return  # the job is done; another one will tidy
