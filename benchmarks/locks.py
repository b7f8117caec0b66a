"""`make bench-locks`: the lock's hand-over and order with many waiting, beside redis-py's lock.

Usage: python -m benchmarks.locks [--contenders N] [--bursts N] [--json FILE]
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from rich.console import Console

from app.gateways.locks import Held, Locks
from benchmarks import machine, table
from benchmarks.contest import HOLD, MILLISECONDS, NAME, NOTE, Contest, Ours, theirs
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import median, percentile
from benchmarks.servers import Servers

#: Seconds that one contest may take.
_LONGEST = 20.0
_ALONE = 1000

Figures = Callable[[Contest], float]


async def measure(url: str, *, contenders: int, bursts: int) -> list[Row]:
    async with Redis.from_url(url) as redis:
        await redis.flushall()
        ours, peer = Contest(), Contest()
        worker = Ours(url, ours)
        await _repeat(bursts, lambda: worker.burst(contenders))
        await worker.close()
        await redis.flushall()
        await _repeat(bursts, lambda: theirs(redis, peer, contenders))
        bare = await _bare(redis)
        alone, peer_alone = await _alone(redis)
    return [
        *_rows(ours, peer, contenders=contenders, bare=bare),
        Row(
            "acquire + release, nobody waits, p50",
            "ms",
            Better.LESS,
            alone,
            1.5,
            peer=Figure(peer_alone, "redis-py"),
        ),
    ]


def _rows(ours: Contest, peer: Contest, *, contenders: int, bare: float) -> list[Row]:
    note = (
        f"Bursts of {contenders} contenders, each of which keeps the lock for 1 ms, once:"
        f" {len(ours.hand_overs)} hand-overs of Liftlock, {len(peer.hand_overs)} of redis-py, from"
        " the call of release to the end of the next one's acquire; with Liftlock through the"
        " queue: release, push, claim, acquire. The limit is LPUSH to the end of BLPOP."
    )

    def row(what: str, figure: Figures, target: float | None = None) -> Row:
        other = Figure(figure(peer), "redis-py")
        limit = Figure(bare, "redis") if target else None
        return Row(what, "ms", Better.LESS, figure(ours), target, other, limit, note)

    return [
        row("hand-over, p50", lambda contest: median(contest.hand_overs), 2.0),
        row("hand-over, p99", lambda contest: percentile(contest.hand_overs, 99)),
        row("hand-over, longest", lambda contest: max(contest.hand_overs)),
        row(f"wait of one of {contenders}, longest", lambda contest: max(contest.waits)),
        Row(
            "served before one that asked earlier",
            "%",
            Better.LESS,
            _overtaken(ours),
            0.0,
            Figure(_overtaken(peer), "redis-py"),
            note=note,
        ),
    ]


def _overtaken(contest: Contest) -> float:
    return contest.overtaken / len(contest.hand_overs) * 100


async def _bare(redis: Redis) -> float:
    """The least that has to happen: one process tells another."""
    blpop: Any = redis.blpop
    lpush: Any = redis.lpush
    waits = []
    for _ in range(200):
        told = asyncio.ensure_future(blpop(["bare"], timeout=1))
        await asyncio.sleep(HOLD)
        began = time.perf_counter()
        await lpush("bare", "1")
        await told
        waits.append((time.perf_counter() - began) * MILLISECONDS)
    return median(waits)


async def _alone(redis: Redis) -> tuple[float, float]:
    """Medians of a lock that nobody else wants: Liftlock's and redis-py's."""
    locks, job = Locks(redis, ttl=timedelta(seconds=15)), uuid4()

    async def ours() -> None:
        held = await locks.try_acquire([NAME], job=job, attempt=1, place=1.0, note=NOTE)
        assert isinstance(held, Held)  # noqa: S101 - nobody else asks
        await locks.release(held)

    async def peer() -> None:
        async with Lock(redis, "peer", timeout=15):
            pass

    return await _median(ours), await _median(peer)


async def _median(call: Callable[[], Awaitable[None]]) -> float:
    took = []
    for _ in range(_ALONE):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * MILLISECONDS)
    return median(took)


async def _repeat(bursts: int, burst: Callable[[], Awaitable[None]]) -> None:
    """As many as fit into the time for one contest."""
    end = time.monotonic() + _LONGEST
    for _ in range(bursts):
        if time.monotonic() < end:
            await burst()


async def _run(servers: Servers, options: argparse.Namespace) -> list[Row]:
    console = Console()
    console.print(machine.described(), highlight=False)
    await servers.start_redis()
    foreign = await machine.foreign_load()
    console.print(f"  others use {foreign:.0%} of the machine", style="dim")
    url = servers.redis_url(0)
    rows = await measure(url, contenders=options.contenders, bursts=options.bursts)
    table.show(console, rows)
    return rows


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="liftlock-bench-"))
    servers = Servers(folder)
    try:
        rows = asyncio.run(_run(servers, options))
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps([table.as_json(row) for row in rows], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locks")
    parser.add_argument("--contenders", type=int, default=50, metavar="N")
    parser.add_argument("--bursts", type=int, default=20, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
