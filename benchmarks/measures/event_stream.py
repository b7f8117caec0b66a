"""From the commit of an event to the client that follows the job: SSE and long poll."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio.client import PubSub

from app.gateways.wakeups import Wakeups
from benchmarks import attempt, orders
from benchmarks.attempt import Attempt
from benchmarks.load import Connection
from benchmarks.peer import writes
from benchmarks.rig import Api, Rig
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import percentile

NAME = "events"
#: Seconds between two events.
_PAUSE = (0.02, 0.06)
_TARGET = 50.0

#: Yields the number of each event as it arrives, until it is closed.
Follow = Callable[[Api, str], AsyncIterator[int]]

_COMMITTED = """
    SELECT seq, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
    FROM events WHERE job_id = $1
"""


async def measure(rig: Rig) -> list[Row]:
    count = rig.few(150, 40)
    async with rig.liftlock() as api:
        hosts = await orders.add_hosts(api, 1)
        async with _wakeups(api) as wakeups, attempt.claimed(api, hosts[0], wakeups) as held:
            stream = await _latencies(api, held, count, _stream)
            poll = await _latencies(api, held, count, _long_poll)
    bare = await _bare(rig, count)
    return [
        _row("event commit → SSE client", stream, 50, bare),
        _row("event commit → SSE client", stream, 95, bare),
        _row("event commit → long poll", poll, 95, bare),
    ]


def _row(what: str, found: list[float], percent: int, bare: list[float]) -> Row:
    return Row(
        f"{what}, p{percent}",
        "ms",
        Better.LESS,
        percentile(found, percent),
        _TARGET if percent > 50 else None,  # noqa: PLR2004
        limit=Figure(percentile(bare, percent), "asyncpg + redis"),
        note="From PostgreSQL's own commit time to the client's read; arq has no events. The limit"
        " is an insert with asyncpg, then PUBLISH to a subscriber.",
    )


@asynccontextmanager
async def _wakeups(api: Api) -> AsyncIterator[Wakeups]:
    """What a worker announces its commits through."""
    wakeups = Wakeups.connect(api.redis_url)
    try:
        yield wakeups
    finally:
        await wakeups.close()


async def _latencies(api: Api, held: Attempt, count: int, follow: Follow) -> list[float]:
    """Milliseconds, one for each event that was written while somebody followed."""
    arrived: dict[int, float] = {}

    async def listen() -> None:
        async for seq in follow(api, str(held.job.id)):
            arrived[seq] = time.time()

    listener = asyncio.create_task(listen())
    await _tell(held, count)
    await asyncio.sleep(1)
    listener.cancel()
    await asyncio.wait({listener})
    if not listener.cancelled():
        listener.result()
    async with api.rows() as rows:
        committed = dict(await rows.fetch(_COMMITTED, held.job.id))
    last = max(committed)
    told = range(last - count + 1, last + 1)
    return [(arrived[seq] - committed[seq]) * 1000 for seq in told]


async def _tell(held: Attempt, count: int) -> None:
    await asyncio.sleep(1)
    for number in range(count):
        await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311
        await held.tell(f"line {number}\n")


async def _stream(api: Api, job_id: str) -> AsyncIterator[int]:
    connection = await Connection.open(api.address)
    path = f"/v1/jobs/{job_id}/events/stream"
    lines = await connection.lines(
        api.address.request("GET", path, headers="Accept: text/event-stream\r\n")
    )
    async for line in lines:
        if line.startswith(b"id:"):
            yield int(line[3:])


async def _long_poll(api: Api, job_id: str) -> AsyncIterator[int]:
    connection, after = await Connection.open(api.address), 0
    while True:
        path = f"/v1/jobs/{job_id}/events?after={after}&limit=200"
        request = api.address.request("GET", path, headers="Prefer: wait=20\r\n")
        for event in json.loads((await connection.ask(request)).body)["items"]:
            after = event["seq"]
            yield after


async def _bare(rig: Rig, count: int) -> list[float]:
    connection, client = await rig.bare(), await rig.redis()
    await connection.execute(writes.TABLES)
    took = []
    async with client.pubsub() as listener:
        await listener.subscribe("news")
        await _heard(listener)
        for job_id in writes.new_ids(count):
            await asyncio.sleep(random.uniform(*_PAUSE))  # noqa: S311
            await writes.add(connection, [job_id])
            began = time.perf_counter()
            await client.publish("news", str(job_id))
            await _heard(listener)
            took.append((time.perf_counter() - began) * 1000)
    await client.aclose()
    await connection.close()
    return took


async def _heard(listener: PubSub) -> None:
    async for _ in listener.listen():
        return
