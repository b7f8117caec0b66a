"""Requests per second of one API process: POST a job, GET twenty events."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg

from benchmarks import attempt, orders
from benchmarks.load import Address, press
from benchmarks.peer import writes
from benchmarks.rig import Api, Rig
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import median

NAME = "http"
CONNECTIONS = 32
_EVENTS = 20
_HOSTS, _SITES = 16, 128
_GET = "SELECT seq, at, type, data FROM events WHERE job_id = $1 AND seq > 0 ORDER BY seq LIMIT 20"
_NOTE = (
    f"{CONNECTIONS} connections; the client shares the machine. Liftlock checks token, body and"
    " names; the peer is FastAPI, asyncpg and arq's enqueue and checks only the body; the limit is"
    f" the peer's statements in {CONNECTIONS} coroutines, without HTTP."
)


async def measure(rig: Rig) -> list[Row]:
    async with rig.liftlock() as api:
        provision, enroll, events = await _liftlock(rig, api)
    async with rig.peer() as api:
        their_post, their_events = await _peer(rig, api)
    bare_post, bare_events = await _bare(rig)
    return [
        _row("POST a provision, one API process", provision, 1200, their_post, bare_post),
        _row("POST the smallest job (enroll)", enroll, 1200, their_post, bare_post),
        _row("GET 20 events, one API process", events, 1500, their_events, bare_events),
    ]


def _row(what: str, ours: float, target: float, theirs: float, bare: float) -> Row:
    peer, limit = Figure(theirs, "arq"), Figure(bare, "asyncpg")
    return Row(what, "/s", Better.MORE, ours, target, peer=peer, limit=limit, note=_NOTE)


async def _liftlock(rig: Rig, api: Api) -> tuple[float, float, float]:
    hosts = await orders.add_hosts(api, _HOSTS)
    sites = await orders.add_instances(api, hosts, _SITES)
    job_id = await _with_events(api, hosts[0])
    provision = await _rate(rig, api.address, orders.provisions(api.address, sites))
    enroll = await _rate(rig, api.address, orders.enrolments(api.address, hosts))
    return provision, enroll, await _rate(rig, api.address, _reading(api.address, job_id))


async def _with_events(api: Api, host: str) -> UUID:
    """A job that has told twenty events."""
    async with attempt.claimed(api, host) as held:
        for number in range(_EVENTS):
            await held.tell(f"line {number} of what the step said\n")
        return held.job.id


async def _peer(rig: Rig, api: Api) -> tuple[float, float]:
    job_id = writes.new_ids(1)[0]
    async with api.rows() as rows:
        await _peer_events(rows, job_id)
    make = orders.enrolments(api.address, ["host-1"])
    post = await _rate(rig, api.address, make)
    return post, await _rate(rig, api.address, _reading(api.address, job_id))


def _reading(address: Address, job_id: UUID) -> Callable[[int], bytes]:
    request = address.request("GET", f"/v1/jobs/{job_id}/events?limit={_EVENTS}")
    return lambda _: request


async def _rate(rig: Rig, address: Address, make: Callable[[int], bytes]) -> float:
    """The median of three runs, after one that warms up."""
    await press(address, make, connections=CONNECTIONS, seconds=0.5)
    found = []
    for _ in range(rig.few(3, 1)):
        load = await press(address, make, connections=CONNECTIONS, seconds=1)
        if load.failed:
            raise RuntimeError(f"{load.failed} requests failed.")
        found.append(load.rate)
    return median(found)


async def _bare(rig: Rig) -> tuple[float, float]:
    async with rig.bare_pool(CONNECTIONS) as pool:
        await pool.execute(writes.TABLES)
        job_id = writes.new_ids(1)[0]
        await _peer_events(pool, job_id)

        async def post(connection: asyncpg.Connection) -> None:
            await writes.add(connection, writes.new_ids(1))

        async def get(connection: asyncpg.Connection) -> None:
            await connection.fetch(_GET, job_id)

        return await _loop(pool, post), await _loop(pool, get)


async def _loop(pool: asyncpg.Pool, act: Callable[[asyncpg.Connection], Awaitable[None]]) -> float:
    end, done = time.monotonic() + 1.5, 0

    async def client() -> None:
        nonlocal done
        async with pool.acquire() as connection:
            while time.monotonic() < end:
                await act(connection)
                done += 1

    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return done / (time.monotonic() - began)


async def _peer_events(writer: writes.Writer, job_id: UUID) -> None:
    await writes.add(writer, [job_id])
    data = json.dumps({"number": 1, "step": "talk", "text": "line 1 of what the step said\n"})
    await writer.execute(
        "INSERT INTO events (job_id, seq, type, data)"
        " SELECT $1, n, 'step.output', $2 FROM generate_series(2, 25) n",
        job_id,
        data,
    )
