"""Activations back and forth through one router, by real jobs, while a client sends requests."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks import fronts, small_site
from benchmarks.machines import Machine
from benchmarks.rig import Api
from benchmarks.servers import Servers
from benchmarks.tally import Run, Traffic
from tests.support import sites

RECIPE = {
    "name": "small-site",
    "start": {"run": "exec python3 small_site.py"},
    "check": {"path": "/fast/check", "tries": 50, "every": 0.1},
}
_FINAL = {"succeeded", "failed", "canceled", "superseded"}
#: Seconds: for one job; for the client before the first switch; for the old one's last requests.
_LONGEST, _WARM, _DRAIN = 60.0, 2.0, 10


@dataclass(frozen=True)
class Switching:
    servers: Servers
    api: Api
    host: Machine
    rate: float

    async def through(self, kind: str, switches: int, seconds: float) -> Run:
        """Start the router, make two app servers, switch, and end the router."""
        run = Run(kind)
        with fronts.front(self.servers, kind) as front:
            await fronts.ready(self.servers, front)
            await self.api.ask("POST", "/v1/routers", front.document(self.host.name))
            async with self._pair(kind) as pair:
                await self._activate(pair[0])
                async with self._client(run, front.port):
                    await asyncio.sleep(_WARM)
                    await self._switch(run, pair, switches, time.monotonic() + seconds)
                    await self._break(run, pair)
                    await asyncio.sleep(_WARM)
        return run

    @asynccontextmanager
    async def _client(self, run: Run, port: int) -> AsyncIterator[None]:
        """The client in a process of its own, which waits for nobody; then what it counted."""
        path, name = self.servers.folder / f"{run.kind}.json", f"traffic-{run.kind}"
        words = (str(port), _domain(run.kind), str(path), "--rate", str(self.rate))
        client = self.servers.python(name, "benchmarks.traffic", *words, env={})
        try:
            yield
        finally:
            await asyncio.to_thread(self.servers.end, client)
        if client.returncode:
            raise RuntimeError(
                f"The client ended with {client.returncode}: {self.servers.log(name)}"
            )
        run.traffic = Traffic.read(path)

    @asynccontextmanager
    async def _pair(self, kind: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Two app servers of a new instance, which are ended with the block."""
        await self._describe(kind)
        pair: list[dict[str, Any]] = []
        try:
            for _ in range(2):
                pair.append(await self._provision(kind))  # noqa: PERF401 - those made are ended
            yield pair
        finally:
            for server in pair:
                await _ask("POST", server, "/quit")

    async def _describe(self, kind: str) -> None:
        repository = sites.repository(self.servers.folder / f"{kind}-site")
        folder = Path(repository.removeprefix("file://"))
        shutil.copy(small_site.__file__, folder / "small_site.py")
        sites.git(folder, "add", ".")
        sites.git(folder, "commit", "--quiet", "-m", "The site")
        sites.git(folder, "tag", "v2")
        await self.api.ask("POST", "/v1/recipes", {"document": RECIPE})
        instance = {
            "name": kind,
            "recipe": "small-site",
            "repository": repository,
            "revision": "v2",
            "host": self.host.name,
            "router": kind,
            "domain": _domain(kind),
        }
        await self.api.ask("POST", "/v1/instances", instance)

    async def _provision(self, instance: str) -> dict[str, Any]:
        asked = await self.api.ask("POST", "/v1/jobs", {"kind": "provision", "instance": instance})
        job = await self._finished(asked)
        if job["status"] != "succeeded":
            raise RuntimeError(f"The provision of {instance} failed: {job['error']}")
        made: dict[str, Any] = job["app_server"]
        return made

    async def _switch(
        self, run: Run, pair: list[dict[str, Any]], switches: int, end: float
    ) -> None:
        for number in range(switches):
            if time.monotonic() > end:
                run.trouble.append(f"only {number} of {switches} switches in the time for them")
                return
            new, old = pair[(number + 1) % 2], pair[number % 2]
            began = time.monotonic()
            job = await self._activate(new)
            run.took.append(time.monotonic() - began)
            run.left.append(await _under_way(old))
            if job["status"] != "succeeded":
                run.trouble.append(f"switch {number + 1} {job['status']}: {job['error']}")

    async def _break(self, run: Run, pair: list[dict[str, Any]]) -> None:
        """Ask for the activation of one that answers 500; it must not get there."""
        standby = pair[(len(run.took) + 1) % 2]
        await _ask("POST", standby, "/break")
        job = await self._activate(standby)
        if job["status"] == "succeeded":
            run.trouble.append("a server that answers 500 was activated")
        run.broken = job["error"]["code"] if job["error"] else "activated"

    async def _activate(self, server: dict[str, Any]) -> dict[str, Any]:
        path = f"/v1/app-servers/{server['id']}/activate"
        return await self._finished(await self.api.ask("POST", path, {"drain": _DRAIN, "watch": 0}))

    async def _finished(self, job: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(_LONGEST):
            while True:
                found: dict[str, Any] = await self.api.ask("GET", f"/v1/jobs/{job['id']}")
                if found["status"] in _FINAL:
                    return found
                await asyncio.sleep(0.05)


async def _under_way(server: dict[str, Any]) -> int:
    return int((await _ask("GET", server, "/stats")).json()["under_way"])


async def _ask(method: str, server: dict[str, Any], path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        url = f"http://127.0.0.1:{server['port']}{path}"
        return (await client.request(method, url)).raise_for_status()


def _domain(kind: str) -> str:
    return f"{kind}.localhost"
