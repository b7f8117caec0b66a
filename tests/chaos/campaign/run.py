"""One campaign from the first program to the last line of its history."""

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import judge
from tests.chaos.campaign import hosts, processes, world
from tests.chaos.campaign.load import FINAL, Load, orders
from tests.chaos.campaign.nemesis import Nemesis
from tests.chaos.campaign.network import Network
from tests.chaos.campaign.schedule import PARTITIONS, Kind, Shape, schedule
from tests.chaos.campaign.world import APIS, HOSTS, WORKERS, World

#: Seconds for all jobs to end once everything is healed, and between two lines of progress.
_SETTLE, _TELL = 150.0, 10.0
_BEHIND = "SELECT id FROM instances WHERE route_applied < route_version"


@dataclass(frozen=True)
class Options:
    seed: int
    seconds: float
    jobs: int
    is_fenced: bool
    only: frozenset[Kind]


@dataclass(frozen=True)
class LeftOut:
    """Faults that this machine does not offer, and why."""

    kinds: frozenset[Kind]
    why: str

    def __str__(self) -> str:
        return f"{', '.join(sorted(self.kinds))}: {self.why}"


def left_out(no_namespaces: str | None) -> Iterator[LeftOut]:
    if no_namespaces:
        yield LeftOut(PARTITIONS, no_namespaces)
    if processes.faketime() is None:
        yield LeftOut(frozenset({Kind.CLOCK_JUMP}), "not installed: faketime")
    if hosts.sshd() is None:
        why = "not installed: openssh-server; the hosts are demo hosts"
        yield LeftOut(frozenset({Kind.KILL_SSHD_SESSIONS}), why)


async def run(
    options: Options, folder: Path, *, places: Network, missing: list[LeftOut]
) -> judge.History:
    """Everything of it is gone when this returns, but the folder."""
    began = time.monotonic()
    _say(began, f"seed {options.seed}, in {folder}")
    async with world.running(folder, places, is_fenced=options.is_fenced) as made:
        _say(began, f"{len(made.hosts)} hosts, {len(made.workers)} workers, {len(made.apis)} APIs")
        healed = await _storm(options, made, missing, began)
        await _settle(made, began, until=healed + _SETTLE)
        await made.stop()
        return await asyncio.to_thread(
            judge.read,
            folder,
            made.postgres.url,
            redis_url=made.redis.url,
            seed=options.seed,
            left_out=[str(item) for item in missing],
        )


async def _storm(options: Options, made: World, missing: list[LeftOut], began: float) -> float:
    """The load, with the faults over it, until every request is answered; when all was healed."""
    impossible = {kind for item in missing for kind in item.kinds}
    if options.only:
        impossible |= set(Kind) - options.only
    load, nemesis = Load(made), Nemesis(made)
    # One source of chance for each: what one draws must not change the other.
    faults = schedule(
        random.Random(f"faults {options.seed}"),
        options.seconds,
        shape=Shape(WORKERS, HOSTS, APIS),
        left_out=impossible,
    )
    planned = orders(
        random.Random(f"load {options.seed}"), list(made.instances), options.jobs, options.seconds
    )
    telling = asyncio.create_task(_tell(made, load, nemesis, began))
    loading = asyncio.create_task(load.run(planned))
    try:
        await nemesis.run(faults, seconds=options.seconds)
        healed = time.monotonic()
        _say(began, f"healed; faults: {nemesis.brought}, without a target: {nemesis.missed}")
        await asyncio.wait([loading], timeout=_SETTLE)
        if loading.done():
            loading.result()
    finally:
        for task in (telling, loading):
            task.cancel()
        await asyncio.wait([telling, loading])
    _say(began, f"accepted {load.accepted} of {load.asked}, repeated {load.repeated} requests")
    for refusal in load.refused:
        _say(began, f"refused: {refusal}")
    return healed


async def _settle(made: World, began: float, *, until: float) -> None:
    """Wait until no job is left to do, or for long enough: the judge counts those that are.

    A router that stays behind is told by hand, as whoever has healed it does.
    """
    while time.monotonic() < until:
        counts = await _statuses(made)
        is_idle = counts is not None and not counts.keys() - FINAL
        if is_idle and not await made.postgres.ask(_BEHIND):
            break
        if is_idle:
            (await made.clients[0].post(f"/v1/routers/{made.edge.name}/sync")).raise_for_status()
        await asyncio.sleep(1)
    counts = await _statuses(made)
    _say(began, f"settled: {_named(counts)}")


async def _tell(made: World, load: Load, nemesis: Nemesis, began: float) -> None:
    while True:
        await asyncio.sleep(_TELL)
        counts = _named(await _statuses(made))
        _say(began, f"faults {nemesis.brought}, accepted {load.accepted}, jobs: {counts}")


async def _statuses(made: World) -> dict[str, int] | None:
    """Jobs by status; None while Postgres is away."""
    rows = await made.postgres.ask("SELECT status, count(*) FROM jobs GROUP BY 1")
    return None if rows is None else {row[0]: row[1] for row in rows}


def _named(counts: dict[str, int] | None) -> str:
    if counts is None:
        return "Postgres is away"
    return ", ".join(f"{status} {count}" for status, count in sorted(counts.items()))


def _say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)
