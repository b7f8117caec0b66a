"""Twenty remote steps with checkpoints in Postgres: cold, warm, and on ten hosts at once."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import asyncssh

from benchmarks import machines, plans
from benchmarks.machines import Machine
from benchmarks.rig import Api, Rig
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import median

NAME = "steps"
_HOSTS = 10

_SPAN = """
    SELECT min(at) FILTER (WHERE type = $2) AS began,
           max(at) FILTER (WHERE type = 'step.succeeded') AS ended,
           count(*) FILTER (WHERE type = 'step.succeeded') AS steps
    FROM events WHERE job_id = ANY($1)
"""
_ENDED = "SELECT count(*) FROM jobs WHERE id = ANY($1) AND finished_at IS NOT NULL"


async def measure(rig: Rig) -> list[Row]:
    async with machines.machines(rig.servers, _HOSTS) as hosts, rig.liftlock() as api:
        for host in hosts:
            await host.register(api)
        plan = {plans.CHOICE: plans.STEPS}
        async with api.worker(plans.WORKER, **plan):
            cold = await _run(api, hosts[:1], since="job.started")
            warm = [await _run(api, hosts[:1]) for _ in range(rig.few(5, 3))]
            await _run(api, hosts)
            many = [await _run(api, hosts) for _ in range(rig.few(3, 1))]
        bare_warm, bare_cold = await _bare(hosts[0])
        bare_many = await _bare_together(hosts)
    return [
        _row("20 remote steps, warm", median(warm), 0.4, bare_warm),
        _row("20 remote steps, cold", cold, None, bare_cold),
        _row("10 hosts x 20 steps, warm", median(many), 1.5, bare_many),
    ]


def _row(what: str, ours: float, target: float | None, bare: float) -> Row:
    note = (
        f"A job of a worker process on {machines.kind()}: each step is begun and ended in Postgres,"
        " detached on the host and survives the connection. Cold: with login and the first upload"
        " of the runner. The limit is `run` of the same commands on one connection of asyncssh,"
        " without any record."
    )
    limit = Figure(bare, "asyncssh")
    return Row(what, "s", Better.LESS, ours, target, limit=limit, note=note)


async def _run(api: Api, hosts: Sequence[Machine], *, since: str = "step.started") -> float:
    """Seconds from that event to the record of the last step."""
    jobs = [
        UUID((await api.ask("POST", "/v1/jobs", {"kind": "enroll", "host": host.name}))["id"])
        for host in hosts
    ]
    async with api.rows() as rows, asyncio.timeout(40):
        while await rows.fetchval(_ENDED, jobs) < len(jobs):
            await asyncio.sleep(0.05)
        found = await rows.fetchrow(_SPAN, jobs, since)
    if found["steps"] != plans.COUNT * len(jobs):
        raise RuntimeError(f"{found['steps']} steps succeeded: {api.servers.log('worker')}")
    return float((found["ended"] - found["began"]).total_seconds())


async def _bare(host: Machine) -> tuple[float, float]:
    """Seconds for the commands on an open connection, and with connecting."""
    began = time.perf_counter()
    async with host.connect() as connection:
        connected = time.perf_counter()
        await _say(connection)
        end = time.perf_counter()
    return end - connected, end - began


async def _bare_together(hosts: Sequence[Machine]) -> float:
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(host.connect()) for host in hosts]
        began = time.perf_counter()
        await asyncio.gather(*(_say(connection) for connection in connections))
        return time.perf_counter() - began


async def _say(connection: asyncssh.SSHClientConnection) -> None:
    for _ in range(plans.COUNT):
        await connection.run("echo done", check=True)
