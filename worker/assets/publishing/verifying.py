"""Ask for every file of a release through HTTP, as a browser does, and compare its bytes."""

import asyncio
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx

from worker.assets.manifest import Asset, Manifest
from worker.assets.problem import Problem
from worker.assets.publishing.serving import Answer, ask, problems_of
from worker.assets.store_url import page_problem

_PATIENCE = httpx.Timeout(30.0, connect=10.0)
_TOLD = 10


async def verify(
    manifest: Manifest,
    base_url: str,
    *,
    at_once: int = 16,
    tell: Callable[[str], None] = lambda _: None,
    pause: float = 0.5,
) -> list[Problem]:
    """What is wrong with the files at `base_url`, in the order of their names; empty: nothing.

    Each must answer 200 with its bytes, an immutable Cache-Control and a type that fits; each
    compressed copy too when the server offers that coding. No redirect is followed. A request
    that fails in passing is tried five times; none takes longer than a file of its size may.
    """
    if problem := page_problem(base_url):
        # The URL itself is not repeated: it may hold a secret.
        return [Problem("bad-base-url", f"The base URL {problem}")]
    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(timeout=_PATIENCE, limits=limits) as client:
        verifying = _Verifying(client, base_url, tell, pause)
        return await verifying.run(manifest, at_once)


class _Verifying:
    def __init__(
        self, client: httpx.AsyncClient, base_url: str, tell: Callable[[str], None], pause: float
    ) -> None:
        self._client, self._tell, self._pause = client, tell, pause
        self._base_url = base_url.rstrip("/") + "/"
        self._found: dict[str, list[Problem]] = {}

    async def run(self, manifest: Manifest, at_once: int) -> list[Problem]:
        assets = {asset.name: asset for asset in manifest.files.values()}
        waiting = iter(sorted(assets))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(assets))):
                group.create_task(self._work(waiting, assets))
        return [problem for name in sorted(self._found) for problem in self._found[name]]

    async def _work(self, waiting: Iterator[str], assets: dict[str, Asset]) -> None:
        for name in waiting:
            self._found[name] = await self._file(assets[name])
            if len(self._found) % max(1, len(assets) // _TOLD) == 0:
                self._tell(f"verified {len(self._found)} of {len(assets)} files")

    async def _file(self, asset: Asset) -> list[Problem]:
        problems = problems_of(await self._ask(asset, "identity"), asset)
        for coding in asset.copies:
            if not problems:
                problems = problems_of(await self._ask(asset, coding), asset)
        return problems

    async def _ask(self, asset: Asset, coding: str) -> Answer:
        url = self._base_url + quote(asset.name)
        return await ask(self._client, url, asset, coding=coding, pause=self._pause)
