"""POST → started: from the first byte of the request to the commit of the worker's claim."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from uuid import UUID

import asyncpg

from benchmarks import orders, plans
from benchmarks.load import Address, Connection
from benchmarks.peer import writes
from benchmarks.rig import Api, Rig
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import percentile

NAME = "start"
#: Seconds between two requests, so that each meets an idle system.
_PAUSE = (0.02, 0.05)
_WARM_UP = 10
_TARGETS = {50: 6.0, 99: 20.0}

_COMMITTED = """
    SELECT job_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
    FROM events WHERE type = 'job.started'
"""


async def measure(rig: Rig) -> list[Row]:
    count = rig.few(200, 60)
    async with rig.liftlock() as api:
        hosts = await orders.add_hosts(api, 40)
        bodies = [{"kind": "enroll", "host": name} for name in hosts]
        async with api.worker(plans.WORKER, **{plans.CHOICE: plans.NOTHING}):
            ours = await _latencies(api, bodies, count)
    async with rig.peer() as api, api.worker("benchmarks.peer.worker.WorkerSettings"):
        theirs = await _latencies(api, bodies, count)
    bare = await _bare(await rig.bare(), count)
    return [
        Row(
            f"POST → started, idle, p{percent}",
            "ms",
            Better.LESS,
            percentile(ours, percent),
            target,
            peer=Figure(percentile(theirs, percent), "arq"),
            limit=Figure(percentile(bare, percent), "asyncpg"),
            note="Until the commit of the claim, by PostgreSQL's own commit time. arq with"
            " poll_delay 0.01 and max_jobs 100. The limit is two commits without HTTP and queue.",
        )
        for percent, target in _TARGETS.items()
    ]


async def _latencies(api: Api, bodies: list[dict[str, str]], count: int) -> list[float]:
    """Milliseconds, one for each job."""
    requests = [api.address.request("POST", "/v1/jobs", body) for body in bodies]
    # The first ones meet a worker that is still starting.
    await _started(api, await _post_one_by_one(api.address, requests, _WARM_UP))
    sent = await _post_one_by_one(api.address, requests, count)
    started = await _started(api, sent)
    return [(started[job_id] - began) * 1000 for job_id, began in sent.items()]


async def _started(api: Api, sent: Mapping[UUID, float]) -> dict[UUID, float]:
    """When the claim of each job was committed, once all are."""
    async with api.rows() as rows, asyncio.timeout(40):
        while True:
            found = dict(await rows.fetch(_COMMITTED))
            if found.keys() >= sent.keys():
                return found
            await asyncio.sleep(0.1)


async def _post_one_by_one(
    address: Address, requests: list[bytes], count: int
) -> dict[UUID, float]:
    """When the request of each job was sent."""
    sent = {}
    connection = await Connection.open(address)
    for number in range(count):
        await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311
        began = time.time()
        answer = await connection.ask(requests[number % len(requests)])
        sent[UUID(json.loads(answer.body)["id"])] = began
    await connection.close()
    return sent


async def _bare(connection: asyncpg.Connection, count: int) -> list[float]:
    await connection.execute(writes.TABLES)
    took = []
    for job_id in writes.new_ids(count + _WARM_UP):
        await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311
        began = time.perf_counter()
        await writes.add(connection, [job_id])
        await writes.start(connection, job_id)
        took.append((time.perf_counter() - began) * 1000)
    await connection.close()
    return took[_WARM_UP:]
