"""The one connection to an address: made when it is needed, made anew when it was lost."""

import asyncio
import random

import asyncssh

from worker.remote import ssh
from worker.remote.errors import HostUnreachable, RemoteError
from worker.remote.host import Address

#: Seconds before the second, third and fourth attempt, give or take a half.
PAUSES = (0.5, 1.5, 4.0)
#: OpenSSH allows ten sessions on a connection; two stay free to end the others.
_CHANNELS = 8
_SPARE = 2


class Link:
    def __init__(
        self,
        address: Address,
        identities: list[asyncssh.SSHKey],
        *,
        jump: "Link | None",
        gate: asyncio.Semaphore,
    ) -> None:
        self.address = address
        #: For steps and probes, which may take long.
        self.channels = asyncio.Semaphore(_CHANNELS)
        #: For short calls about them.
        self.spare = asyncio.Semaphore(_SPARE)
        self._identities = identities
        self._jump = jump
        self._gate = gate
        self._lock = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The living connection; failures that may pass are tried again a few times."""
        async with self._lock:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            return self._connection

    async def tunnel(self) -> asyncssh.SSHClientConnection | None:
        """The connection to the jump host, when there is one."""
        return await self._jump.connection() if self._jump else None

    async def aclose(self) -> None:
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()

    async def _connect(self) -> asyncssh.SSHClientConnection:
        for pause in PAUSES:
            try:
                return await self._attempt()
            except RemoteError as error:
                if not error.transient:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        try:
            return await self._attempt()
        except HostUnreachable as error:
            tries = len(PAUSES) + 1
            raise HostUnreachable(
                f"{error.detail} Tried {tries} times.", hint=error.hint
            ) from error

    async def _attempt(self) -> asyncssh.SSHClientConnection:
        tunnel = await self.tunnel()
        async with self._gate:
            return await ssh.connect(self.address, self._identities, tunnel)
