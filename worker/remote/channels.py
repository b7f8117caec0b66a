"""How many channels of a connection are in use; it can be closed when none is."""

import asyncio
from typing import Literal


class Channels(asyncio.Semaphore):
    """A semaphore that tells how many hold it."""

    used = 0

    async def acquire(self) -> Literal[True]:
        taken = await super().acquire()
        self.used += 1
        return taken

    def release(self) -> None:
        self.used -= 1
        super().release()
