"""The campaign's Liftlock: servers, APIs, workers and hosts, each in its place."""

import asyncio
import base64
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.chaos.campaign import recipe
from tests.chaos.campaign.edge import Edge
from tests.chaos.campaign.hosts import Host
from tests.chaos.campaign.network import Network, Place, free_port
from tests.chaos.campaign.processes import Clock, Supervised, faketime, has_connection, until
from tests.chaos.campaign.servers import Postgres, Redis
from tests.support import sites
from tests.support.postgres import migrate
from tests.support.stack import _token as make_token

HOSTS, WORKERS, APIS, INSTANCES = 6, 3, 2, 12


@dataclass
class Worker(Supervised):
    place: Place = field(kw_only=True)
    clock: Clock | None = field(kw_only=True)
    #: Of the Redis that it takes its work from.
    redis_port: int = field(kw_only=True)

    def answers(self) -> bool:
        """It has come up far enough to ask for work."""
        return not self.is_gone() and has_connection(self.pid, self.redis_port)

    @property
    def known_as(self) -> str:
        """As in `jobs.worker`; another one after each start."""
        return f"{socket.gethostname()}:{self.pid}"


@dataclass
class Api(Supervised):
    url: str

    def answers(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/readyz", trust_env=False, verify=False, timeout=2)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK


@dataclass
class World:
    folder: Path
    network: Network
    postgres: Postgres
    redis: Redis
    hosts: list[Host]
    edge: Edge
    workers: list[Worker]
    apis: list[Api]
    token: str
    #: Host of each instance, both by name.
    instances: dict[str, str]
    #: Names of those behind the router.
    routed: set[str] = field(default_factory=set)
    #: One for each API.
    clients: list[httpx.AsyncClient] = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        self.clients = [
            httpx.AsyncClient(
                base_url=api.url, headers=headers, timeout=10, trust_env=False, verify=False
            )
            for api in self.apis
        ]

    @property
    def near(self) -> list[Host]:
        """Hosts whose sites the router reaches, and is in front of: two, or on loopback its own."""
        return self.hosts[: 2 if self.edge.host.place.prefix else 1]

    @property
    def liftlock(self) -> list[Supervised]:
        return [*self.apis, *self.workers]

    async def stop(self) -> None:
        """The servers stay; what was Liftlock ends as it does for a supervisor that stops it."""
        for program in self.liftlock:
            program.is_wanted = False
            program.send(signal.SIGTERM)
        await asyncio.gather(
            *(asyncio.to_thread(program.end, signal.SIGTERM) for program in self.liftlock)
        )


@asynccontextmanager
async def running(folder: Path, network: Network, *, is_fenced: bool) -> AsyncIterator[World]:
    """Everything up, hosts and instances known to it; gone at the end of the block."""
    with ExitStack() as stack:
        world = await _build(folder, network, stack, is_fenced=is_fenced)
        keeping = [asyncio.create_task(program.keep()) for program in world.liftlock]
        try:
            await _populate(world)
            yield world
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.wait(keeping)
            for client in world.clients:
                await client.aclose()


async def _build(folder: Path, network: Network, stack: ExitStack, *, is_fenced: bool) -> World:
    center = network.center
    postgres = Postgres(folder / "postgres.log", folder / "postgres", center.address)
    postgres.initialize()
    stack.callback(postgres.end, signal.SIGQUIT)
    redis = Redis(folder / "redis.log", folder / "redis", center.address)
    stack.callback(redis.end, signal.SIGKILL)
    hosts = [_host(folder, network, number) for number in range(1, HOSTS + 1)]
    for host in hosts:
        stack.callback(host.sweep)
        stack.callback(host.end, signal.SIGTERM)
    edge = Edge(folder / "edge.log", folder / "edge", hosts[0])
    stack.callback(edge.end, signal.SIGTERM)
    await asyncio.gather(*(program.start() for program in (postgres, redis, edge, *hosts)))
    await asyncio.to_thread(migrate, postgres.url)
    environment = _environment(postgres, redis)
    apis = [_api(folder, environment, center, number) for number in range(1, APIS + 1)]
    workers = [
        _worker(environment, network.place(f"worker-{number}"), redis, is_fenced=is_fenced)
        for number in range(1, WORKERS + 1)
    ]
    for program in (*apis, *workers):
        stack.callback(program.end, signal.SIGKILL)
    token = await asyncio.to_thread(make_token, environment)
    return World(folder, network, postgres, redis, hosts, edge, workers, apis, token, {})


def _host(folder: Path, network: Network, number: int) -> Host:
    place = network.place(f"host-{number}")
    return Host(folder / f"{place.name}.log", folder / place.name, place, number)


def _environment(postgres: Postgres, redis: Redis) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIFTLOCK_")}
    return {
        **kept,
        "LIFTLOCK_DATABASE_URL": postgres.url,
        "LIFTLOCK_REDIS_URL": redis.url,
        "LIFTLOCK_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def _api(folder: Path, environment: dict[str, str], center: Place, number: int) -> Api:
    port = free_port(center.address)
    own = {"LIFTLOCK_HOST": center.address, "LIFTLOCK_PORT": str(port)}
    return Api(
        folder / f"api-{number}.log",
        (sys.executable, "-m", "app.main"),
        f"http://{center.address}:{port}",
        environment=environment | own,
    )


def _worker(environment: dict[str, str], place: Place, redis: Redis, *, is_fenced: bool) -> Worker:
    program = ("arq", "worker.main.WorkerSettings") if is_fenced else ("tests.chaos.unfenced",)
    library, clock, folder = faketime(), None, redis.log.parent
    if library is not None:
        clock = Clock(library, folder / f"{place.name}.clock")
        clock.jump(0)
    preload = clock.environment if clock else {}
    return Worker(
        folder / f"{place.name}.log",
        (*place.prefix, sys.executable, "-m", *program),
        environment=environment | preload,
        place=place,
        clock=clock,
        redis_port=redis.port,
    )


async def _populate(world: World) -> None:
    for program in world.liftlock:
        await until(program.answers, f"{program.name} to answer", log=program.log)
    client = world.clients[0]
    keys = (await client.get("/v1/identity")).raise_for_status().json()["authorized_keys"]
    for host in world.hosts:
        host.trust(keys)
        (await client.post("/v1/hosts", json=host.body())).raise_for_status()
    (await client.post("/v1/routers", json=world.edge.body())).raise_for_status()
    headers = {"Content-Type": "application/yaml"}
    made = await client.post("/v1/recipes", content=recipe.source(), headers=headers)
    made.raise_for_status()
    repository = sites.repository(world.folder / "site")
    for number in range(INSTANCES):
        host, name = world.hosts[number % HOSTS], f"site-{number + 1}"
        routed = {"router": world.edge.name, "domain": f"{name}.invalid"}
        body = {
            **(routed if host in world.near else {}),
            "name": name,
            "recipe": recipe.NAME,
            "repository": repository,
            "revision": "v1",
            "host": host.name,
            "settings": {"EFFECTS": str(host.effects)},
        }
        (await client.post("/v1/instances", json=body)).raise_for_status()
        world.instances[name] = host.name
        if "router" in body:
            world.routed.add(name)
