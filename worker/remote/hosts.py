"""The pool: one connection for each address, shared by everything that works there."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import asyncssh

from worker.remote import host_key, ssh
from worker.remote.host import Address, Host, HostKey
from worker.remote.link import Link
from worker.remote.ssh_host import SshHost

#: Cold connects at a time: sshd drops unfinished logins at random from the tenth on.
_COLD_CONNECTS = 8


class Hosts:
    """Hands out hosts; they connect at first use."""

    def __init__(self, identities: Sequence[str]) -> None:
        """`identities` are private keys in OpenSSH's text form, the newest first."""
        self._identities = [asyncssh.import_private_key(text) for text in identities]
        self._links: dict[Address, Link] = {}
        self._gate = asyncio.Semaphore(_COLD_CONNECTS)

    def host(self, address: Address) -> Host:
        return SshHost(self._link(address))

    async def read_host_key(self, address: Address) -> HostKey:
        """The key the host shows, without a login; nothing is trusted by it yet."""
        tunnel = await self._link(address).tunnel()
        try:
            return await host_key.fetch(address, tunnel)
        except (OSError, asyncssh.Error) as error:
            raise ssh.unreachable(address, error) from error

    async def aclose(self) -> None:
        """Close every connection; steps go on."""
        # Those behind a jump host were made last, and go first.
        for link in reversed(self._links.values()):
            await link.aclose()
        self._links.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _link(self, address: Address) -> Link:
        if address not in self._links:
            jump = self._link(address.jump) if address.jump else None
            self._links[address] = Link(address, self._identities, jump=jump, gate=self._gate)
        return self._links[address]
