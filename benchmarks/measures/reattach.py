"""A worker is killed with -9 in a remote step: seconds until its successor hears the step again."""

import asyncio
import signal
import time
from uuid import UUID

import asyncpg
from arq import create_pool
from arq.connections import RedisSettings
from arq.constants import in_progress_key_prefix

from benchmarks import machines, plans
from benchmarks.machines import Machine
from benchmarks.rig import PEER, Api, Rig
from benchmarks.row import Better, Figure, Row
from benchmarks.servers import eventually

NAME = "reattach"
_PEER_SETTINGS = "benchmarks.peer.worker.WorkerSettings"

_LAST_OUTPUT = """
    SELECT max(seq) FILTER (WHERE type = 'step.output') AS output,
           max(seq) FILTER (WHERE type = 'job.started') AS started
    FROM events WHERE job_id = $1
"""


async def measure(rig: Rig) -> list[Row]:
    async with machines.machines(rig.servers) as hosts, rig.liftlock() as api:
        await hosts[0].register(api)
        ours = await _liftlock(api, hosts[0])
        effects = (hosts[0].home / "liftlock" / "effect").read_text().count("begun")
    if effects != 1:
        raise RuntimeError(f"The step's effect happened {effects} times.")
    return [
        Row(
            "worker killed -9 → step re-attached",
            "s",
            Better.LESS,
            ours,
            20,
            peer=Figure(await _peer(rig), "arq, at least"),
            note=f"On {machines.kind()}; another worker runs already. Until output of the"
            " same step arrives under the next attempt; its effect was counted once. arq: what was"
            " left of its claim in Redis when its worker was killed; it runs the job anew after"
            " that, so nothing is re-attached.",
        )
    ]


async def _liftlock(api: Api, host: Machine) -> float:
    plan = {plans.CHOICE: plans.LONG}
    async with api.rows() as rows:
        first = api.start_worker(plans.WORKER, **plan)
        asked = await api.ask("POST", "/v1/jobs", {"kind": "enroll", "host": host.name})
        job_id = UUID(asked["id"])
        await _speaks(rows, job_id, after=0)
        async with api.worker(plans.WORKER, **plan):
            # Both are there: what is measured is the recovery, not the start of Python.
            await asyncio.sleep(3)
            api.servers.end(first, signal.SIGKILL)
            began = time.monotonic()
            killed = (await rows.fetchrow(_LAST_OUTPUT, job_id))["started"]
            await _speaks(rows, job_id, after=killed)
            return time.monotonic() - began


async def _speaks(rows: asyncpg.Connection, job_id: UUID, *, after: int) -> None:
    """Until an attempt that began after that event has written output."""
    async with asyncio.timeout(40):
        while True:
            found = await rows.fetchrow(_LAST_OUTPUT, job_id)
            begun = (found["started"] or 0) > after
            if begun and (found["output"] or 0) > found["started"]:
                return
            await asyncio.sleep(0.02)


async def _peer(rig: Rig) -> float:
    """Seconds for which a dead worker's claim keeps every other worker away."""
    async with rig.peer() as api:
        queue = await create_pool(RedisSettings.from_dsn(rig.servers.redis_url(PEER)))
        mark = rig.servers.folder / "peer-runs"
        job = await queue.enqueue_job("sleep", str(mark))
        assert job is not None  # noqa: S101 - its id is new
        worker = api.start_worker(_PEER_SETTINGS)
        await eventually(mark.exists, "arq's job to run")
        api.servers.end(worker, signal.SIGKILL)
        left: int = await queue.pttl(in_progress_key_prefix + job.job_id)
        await queue.aclose(close_connection_pool=True)
        return left / 1000
