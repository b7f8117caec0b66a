"""Bounds how many connections are being made: sshd drops unfinished logins beyond MaxStartups."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.remote.host import Address

#: Of this worker at a time, and of these to the same server.
_AT_ONCE = 8
_PER_SERVER = 2


class Gate:
    def __init__(self) -> None:
        self._all = asyncio.Semaphore(_AT_ONCE)
        self._servers: dict[tuple[str, int], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_PER_SERVER)
        )

    @asynccontextmanager
    async def passing(self, address: Address) -> AsyncIterator[None]:
        # The server's first: who waits for a slow one must not keep others out.
        async with self._servers[address.host, address.port], self._all:
            yield
