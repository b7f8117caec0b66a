"""What uploading costs without Liftlock: bare obstore, with and without headers for browsers."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from obstore.store import S3Store

from tests.support import object_store
from worker.assets.manifest import OWN, read
from worker.assets.publishing import headers

_AT_ONCE = 16


@dataclass
class Contest:
    """Seconds, of each turn."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)


def no_headers(_: str) -> dict[str, str]:
    return {}


def our_headers(built: Path) -> Callable[[str], dict[str, str]]:
    """The headers of a file; worked out before the time is taken."""
    digests = {
        asset.name: asset.sha256 for asset in read((built / OWN).read_bytes()).files.values()
    }
    told = {
        name: dict(headers.of_object(name, coding=None, sha256=digest))
        for name, digest in digests.items()
    }
    return told.__getitem__


async def sync(
    built: Path,
    server: object_store.ObjectStore,
    contest: Contest,
    told: Callable[[str], dict[str, str]],
) -> None:
    """One LIST, and what is not there in its size: the least that has to be done."""
    inner = S3Store(
        object_store.BUCKET,
        prefix=secrets.token_hex(6),
        endpoint=server.endpoint,
        client_options={"allow_http": True},
    )

    async def work_off() -> None:
        sizes = _sizes(built)
        there = {(item["path"], item["size"]) for item in await inner.list().collect_async()}
        waiting = iter(sorted(sizes.items() - there))

        async def work() -> None:
            for name, _ in waiting:
                content = (built / name).read_bytes()
                await inner.put_async(name, content, attributes=told(name) or None)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))

    contest.first.append(await timed(work_off))
    contest.again.append(await timed(work_off))


def _sizes(built: Path) -> dict[str, int]:
    found = built.rglob("*.js")
    return {str(path.relative_to(built)): path.stat().st_size for path in found}


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began
