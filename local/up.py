"""`liftlock up`: from nothing to an answering Liftlock, until Ctrl-C."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local import demo, parts, ports, postgres, processes, router
from local.children import Children, Policy
from local.data import Data, open_data
from local.errors import Failed, Refused
from local.parts import Parts

FIRST_TOKEN = "up"  # noqa: S105  (the token's name)
ADMIN = ("--scope", "admin")
#: Beginnings of names, in the order of stopping: workers drain, and need all others for it.
STOPPED = ("worker-", "api", *demo.NAMES, router.NAME, "caddy", "redis", "postgres")


@dataclass(frozen=True)
class Options:
    """The command line of `liftlock up`."""

    data: Path = Path(".liftlock")
    host: str = "127.0.0.1"
    #: 0 takes a free port.
    port: int = 8700
    #: Of the router; None: that of last time, or the first free one. 0 takes a free port.
    router_port: int | None = None
    demo: bool = False
    #: Worker processes; 0 starts none.
    workers: int = 1
    policy: Policy = field(default_factory=Policy)


def up(options: Options) -> int:
    """Run until a signal; returns the exit code: 0 stopped, 1 a part failed, 2 refused."""
    data: Data | None = None
    try:
        data = open_data(options.data)
        return asyncio.run(_run(options, data))
    except (Refused, Failed) as error:
        _complain(str(error))
        return error.status
    finally:
        if data is not None:
            data.close()


async def _run(options: Options, data: Data) -> int:
    return await _Up(options, data).run()


class _Up:
    def __init__(self, options: Options, data: Data) -> None:
        self.options = options
        self.data = data
        self.children = Children(
            data.logs, remember=data.remember, say=say, policy=options.policy, turn=turn
        )
        self.stopping = asyncio.Event()
        self.held = contextlib.ExitStack()

    async def run(self) -> int:
        self._listen_for_signals()
        work = asyncio.create_task(self._work())
        stop = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        interrupted = not work.done()
        if interrupted:
            say("Stopping: workers and API first, the databases last.")
        for task in (work, stop):
            task.cancel()
        await asyncio.wait({work, stop})
        await self.children.stop()
        self.held.close()
        if not work.cancelled():
            work.result()
        say("Stopped. The data is kept; start again with the same command.")
        return 0

    async def _work(self) -> None:
        await asyncio.to_thread(stop_leftovers, self.data)
        port = ports.claim(self.options.host, self.options.port)
        address = ports.url(self.options.host, port)
        made = parts.prepare(self.data, self.held, host=self.options.host, port=port)
        front = router.prepare(self.data, self.held, self.options.router_port)
        hosts = demo.prepare(self.data, self.held) if self.options.demo else []
        await self._start_servers(made)
        if front is not None:
            front.write_config()
            await self.children.start(front.child(), ready=front.answers)
        await self.children.once(made.upgrade())
        self.data.write_environment({**made.variables, "LIFTLOCK_URL": address})
        await self.children.start(made.api(), ready=lambda: _is_ready(address))
        for number in range(1, self.options.workers + 1):
            await self.children.start(made.worker(number), ready=lambda: True)
        token = await self._first_token(made)
        if hosts:
            await self._start_hosts(made, hosts, front, address, token)
        say(_banner(self.data.directory, address, token, front, hosts))
        # Only now: a token that nobody saw, because a part failed, is made again.
        self.data.state.has_token = True
        self.data.save()
        await self.children.watch()

    async def _start_servers(self, made: Parts) -> None:
        cluster, redis = made.cluster, made.redis
        if cluster is not None:
            if not cluster.directory.exists():
                say(f"Making a PostgreSQL cluster in {cluster.directory}")
            await asyncio.to_thread(cluster.initialize)
            cluster.launch.own(cluster.directory)
            await self.children.start(made.postgres(cluster), ready=cluster.answers)
            await asyncio.to_thread(cluster.create_database)
        if redis is not None:
            redis.directory.mkdir(mode=0o700, exist_ok=True)
            redis.write_config()
            await self.children.start(made.redis_child(redis), ready=redis.answers)
        if (assets := made.assets) is not None:
            for folder in (assets.directory, assets.folder):
                folder.mkdir(mode=0o700, exist_ok=True)
            assets.write_config()
            await self.children.start(made.caddy(assets), ready=assets.answers)

    async def _first_token(self, made: Parts) -> str | None:
        """The first admin token, at the first start only."""
        if self.data.state.has_token:
            return None
        return (await self.children.once(made.token(FIRST_TOKEN, *ADMIN))).strip()

    async def _start_hosts(
        self,
        made: Parts,
        hosts: Sequence[demo.DemoHost],
        front: router.RouterServer | None,
        address: str,
        token: str | None,
    ) -> None:
        for host in hosts:
            for child, ready in host.children():
                await self.children.start(child, ready=ready)
        own = token
        if own is None:
            brief = made.token(demo.TOKEN, *ADMIN, "--expires-in-days", "1")
            own = (await self.children.once(brief)).strip()
        async with contextlib.aclosing(demo.Api(address, own)) as api:
            await api.register(hosts, front)
            if token is None:
                await api.forget_token(demo.TOKEN)

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # `nohup` says that the end of the terminal does not matter.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self.stopping.is_set():
            self.children.hurry()
        self.stopping.set()


def stop_leftovers(data: Data) -> None:
    """End what an `up` that was killed left running (blocks); raises Failed when it cannot."""
    left = {name: process for name, process in data.state.processes.items() if process.is_alive()}
    for name in sorted(left, key=turn):
        say(f"Stopping {name} (process {left[name].pid}), left by an `up` that was killed")
        signals = postgres.STOP if name == "postgres" else ((signal.SIGTERM, 10.0),)
        if not processes.end(left[name], (*signals, (signal.SIGKILL, 5.0))):
            raise Failed(f"Process {left[name].pid} ({name}) cannot be stopped.")
    postgres.clear(data.postgres)
    for name in list(data.state.processes):
        data.remember(name, None)


def turn(name: str) -> int:
    """When the part of that name is stopped; the lowest comes first."""
    return next((at for at, start in enumerate(STOPPED) if name.startswith(start)), 0)


def say(text: str) -> None:
    # The terminal may be gone; the children must still be stopped.
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"liftlock up: {text}\n")


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _banner(
    directory: Path,
    address: str,
    token: str | None,
    front: router.RouterServer | None,
    hosts: Sequence[demo.DemoHost],
) -> str:
    lines = ["", "Liftlock is up.", f"  address  {address}", f"  data     {directory}"]
    if token is not None:
        lines += [f"  token    {token}", "           (shown this once; keep it)"]
    else:
        lines += [
            "  token    was shown at the first start; make another with",
            f"           . {directory}/env && liftlock tokens create --local --scope admin NAME",
        ]
    if front is not None:
        lines += [f"  router   {front.url}"]
    if hosts:
        names = ", ".join(host.name for host in hosts)
        lines += [f"  hosts    {names} (demo: registered and enrolled)"]
    lines += [
        "  stop     Ctrl-C",
        "",
        "Next, in another terminal:",
        f"  export LIFTLOCK_URL={address} LIFTLOCK_TOKEN={token or '...'}",
        "  liftlock instances create --help" if hosts else "  liftlock hosts add --help",
        "",
    ]
    return "\n".join(lines)
