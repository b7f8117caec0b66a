"""Waits for a machine to come to a state, and not for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

from app.domain.machine import MachineStatus, Wait, has_arrived

_BANNER = b"SSH-"
#: Seconds for one attempt to reach it.
_ATTEMPT = 10.0


async def wait_until(
    look: Callable[[], Awaitable[MachineStatus]],
    wanted: Collection[MachineStatus],
    wait: Wait,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> MachineStatus:
    """Look until it is in one of the states; returns that one.

    It is looked at once more when the time is over. Raises SteadyState and TimedOut, and what
    `look` raises.
    """
    began = clock()
    while True:
        status = await look()
        if has_arrived(status, wanted, waited=clock() - began, wait=wait):
            return status
        await pause(max(0.0, min(wait.every, began + wait.longest - clock())))


async def answers_ssh(address: str, port: int) -> bool:
    """Whether a server there begins to speak SSH; it is told nothing."""
    try:
        async with asyncio.timeout(_ATTEMPT):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return await reader.readexactly(len(_BANNER)) == _BANNER
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, EOFError, TimeoutError):
        return False
