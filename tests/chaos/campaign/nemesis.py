"""Brings the faults over the world when it is their time, ends them, and notes them."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.chaos.campaign.network import Namespaces
from tests.chaos.campaign.processes import Program, until
from tests.chaos.campaign.schedule import TAKES_WORKER, Fault, Kind
from tests.chaos.campaign.world import Worker, World

#: Those that ask the most of the fence when they hit the holder of a job.
_AT_HOLDERS = frozenset({Kind.KILL_WORKER, Kind.STOP_WORKER, Kind.PARTITION_POSTGRES})
#: Seconds for a worker to get one.
_AIMING = 10.0


class Missed(Exception):
    """Nothing was there to be hit."""


@dataclass
class Nemesis:
    world: World
    brought: int = 0
    missed: int = 0
    #: Workers that cannot take work just now.
    _away: list[Worker] = field(default_factory=list)
    #: Set when whatever still lasts is to be ended.
    _is_over: asyncio.Event = field(default_factory=asyncio.Event)
    #: Redis is killed for two reasons, and started by one at a time.
    _redis: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, faults: Iterable[Fault], *, seconds: float) -> None:
        """Returns after so many seconds, when each fault is over and its target works again."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
                group.create_task(self._bring(fault))
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            self._is_over.set()

    async def _bring(self, fault: Fault) -> None:
        worker = None if fault.worker is None else self.world.workers[fault.worker]
        try:
            with self._without(worker if fault.kind in TAKES_WORKER else None):
                if worker and fault.kind in _AT_HOLDERS:
                    await self._holds_a_job(worker)
                known_as, at = worker.known_as if worker else None, time.time()
                target = await self._deeds[fault.kind](fault)
        except Missed:
            self.missed += 1
            return
        self.brought += 1
        line = {"kind": fault.kind, "target": target, "at": at, "until": time.time()}
        with (self.world.folder / "faults.jsonl").open("a") as file:
            file.write(json.dumps({**line, "worker": known_as}) + "\n")

    async def _holds_a_job(self, worker: Worker) -> None:
        """Wait a while for it: a worker that does nothing is hit in vain."""
        held = "SELECT 1 FROM jobs WHERE status IN ('running', 'canceling') AND worker = $1 LIMIT 1"
        with suppress(TimeoutError):
            async with asyncio.timeout(_AIMING):
                while not await self.world.postgres.ask(held, worker.known_as):
                    await asyncio.sleep(0.3)

    @contextmanager
    def _without(self, worker: Worker | None) -> Iterator[None]:
        """The worker is away for the time of the block; Missed when it is, or is the last one."""
        if worker is None:
            yield
            return
        there = [each for each in self.world.workers if each not in self._away and each.answers()]
        if worker in self._away or all(each is worker for each in there):
            raise Missed
        self._away.append(worker)
        try:
            yield
        finally:
            self._away.remove(worker)

    @property
    def _deeds(self) -> Mapping[Kind, Callable[[Fault], Awaitable[str]]]:
        """Each returns the name of what it hit, when that works again."""
        return {
            Kind.KILL_WORKER: lambda fault: self._kill(self._worker(fault)),
            Kind.STOP_WORKER: self._stop,
            Kind.KILL_API: lambda fault: self._kill(self.world.apis[fault.api or 0]),
            Kind.FLUSHALL: self._flush,
            Kind.REDIS_RESTART: self._restart_redis,
            Kind.REDIS_FAILOVER: self._restart_redis,
            Kind.POSTGRES_RESTART: self._restart_postgres,
            Kind.PARTITION_HOST: self._cut_host,
            Kind.PARTITION_REDIS: lambda fault: self._cut_server(fault, self.world.redis.port),
            Kind.PARTITION_POSTGRES: self._cut_postgres,
            Kind.CLOCK_JUMP: self._jump,
            Kind.KILL_SSHD_SESSIONS: self._end_sessions,
        }

    def _worker(self, fault: Fault) -> Worker:
        assert fault.worker is not None
        return self.world.workers[fault.worker]

    async def _lasting(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_over.wait(), seconds)

    async def _kill(self, program: Program) -> str:
        if program.is_gone():
            raise Missed
        killed = program.process
        program.send(signal.SIGKILL)
        while program.process is killed:
            await asyncio.sleep(0.1)
        await until(program.answers, f"{program.name} to be back", log=program.log, seconds=90)
        return program.name

    async def _stop(self, fault: Fault) -> str:
        worker = self._worker(fault)
        if worker.is_gone():
            raise Missed
        worker.send(signal.SIGSTOP)
        await self._lasting(fault.lasts)
        worker.send(signal.SIGCONT)
        return worker.name

    async def _flush(self, _: Fault) -> str:
        try:
            await asyncio.to_thread(self.world.redis.ask, "FLUSHALL")
        except OSError:
            raise Missed from None
        return "redis"

    async def _restart_redis(self, fault: Fault) -> str:
        redis = self.world.redis
        async with self._redis:
            await asyncio.to_thread(redis.end, signal.SIGKILL)
            if fault.kind is Kind.REDIS_FAILOVER:
                redis.forget()
            await self._lasting(fault.lasts)
            await redis.start()
        return "redis"

    async def _restart_postgres(self, fault: Fault) -> str:
        postgres = self.world.postgres
        await asyncio.to_thread(postgres.end, signal.SIGQUIT)
        await self._lasting(fault.lasts)
        await postgres.start()
        return "postgres"

    async def _cut_host(self, fault: Fault) -> str:
        assert fault.host is not None
        host = self.world.hosts[fault.host]
        if fault.worker is None:
            self._network.plug(host.place, up=False)
            await self._lasting(fault.lasts)
            self._network.plug(host.place, up=True)
            return f"{host.name}, all of it"
        worker = self._worker(fault)
        self._network.cut(worker.place, host.place.address, way=fault.way)
        await self._lasting(fault.lasts)
        self._network.mend(worker.place, host.place.address, way=fault.way)
        return f"{worker.name} and {host.name}, {fault.way.name.lower()}"

    async def _cut_postgres(self, fault: Fault) -> str:
        if not fault.whole_cable:
            return await self._cut_server(fault, self.world.postgres.port)
        worker = self._worker(fault)
        self._network.plug(worker.place, up=False)
        await self._lasting(fault.lasts)
        self._network.plug(worker.place, up=True)
        return f"{worker.name}, all of it"

    async def _cut_server(self, fault: Fault, port: int) -> str:
        worker, center = self._worker(fault), self._network.center.address
        self._network.cut(worker.place, center, way=fault.way, port=port)
        await self._lasting(fault.lasts)
        self._network.mend(worker.place, center, way=fault.way, port=port)
        return f"{worker.name}, {fault.way.name.lower()}"

    async def _jump(self, fault: Fault) -> str:
        worker = self._worker(fault)
        assert worker.clock
        worker.clock.jump(fault.jump)
        await self._lasting(fault.lasts)
        worker.clock.jump(0)
        return f"{worker.name}, {fault.jump:+d} s"

    async def _end_sessions(self, fault: Fault) -> str:
        assert fault.host is not None
        host = self.world.hosts[fault.host]
        host.kill_sessions()
        return host.name

    @property
    def _network(self) -> Namespaces:
        assert isinstance(self.world.network, Namespaces)
        return self.world.network
