"""The pool: one connection for each address, shared by all jobs of a worker."""

from collections.abc import Sequence
from functools import lru_cache
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

import asyncssh

from worker.remote import host_key, ssh
from worker.remote.gate import Gate
from worker.remote.host import Address, Host, HostKey
from worker.remote.link import Link
from worker.remote.ssh_host import SshHost

#: The fingerprints of the identities that a connection may be opened with, the newest first.
_Keys = tuple[str, ...]


class Pool:
    """Lives as long as the worker.

    A link stands for an address with its pinned key and for a set of identities: whoever comes
    with another pin or other identities gets another connection, and the older one is closed
    when it has been idle for a while.
    """

    def __init__(self) -> None:
        # A link is kept by those who use it, and by the timer of its open connection.
        self._links: WeakValueDictionary[tuple[Address, _Keys], Link] = WeakValueDictionary()
        self._gate = Gate()

    def hosts(self, identities: Sequence[str]) -> "Hosts":
        """`identities` are private keys in OpenSSH's text form, the newest first."""
        return Hosts(self, [_key(text) for text in identities])

    def link(self, address: Address, identities: list[asyncssh.SSHKey]) -> Link:
        place = address, tuple(key.get_fingerprint() for key in identities)
        link = self._links.get(place)
        if link is None:
            jump = self.link(address.jump, identities) if address.jump else None
            link = Link(address, identities, jump=jump, gate=self._gate)
            self._links[place] = link
        return link

    async def aclose(self) -> None:
        """Close every connection; steps go on."""
        # Those behind a jump host were made last, and go first.
        for link in reversed(list(self._links.values())):
            await link.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


@lru_cache(maxsize=8)
def _key(text: str) -> asyncssh.SSHKey:
    """Every job brings the same ones."""
    return asyncssh.import_private_key(text)


class Hosts:
    """What one job sees of the pool: hosts, reached with the identities of its time."""

    def __init__(self, pool: Pool, identities: list[asyncssh.SSHKey]) -> None:
        self._pool = pool
        self._identities = identities

    def host(self, address: Address) -> Host:
        """It is connected to at first use."""
        return SshHost(self._pool.link(address, self._identities))

    async def read_host_key(self, address: Address) -> HostKey:
        """The key the host shows, without a login; nothing is trusted by it yet."""
        tunnel = await self._pool.link(address, self._identities).tunnel()
        try:
            return await host_key.fetch(address, tunnel)
        except (OSError, asyncssh.Error) as error:
            raise ssh.unreachable(address, error) from error
