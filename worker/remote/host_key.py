"""Host keys: reading one before it is trusted, and showing two when they differ."""

import asyncio

import asyncssh

from worker.remote.host import Address, HostKey

#: What is asked for first; a host without it shows what it has.
_PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
_TIMEOUT = 15.0


def describe(key: asyncssh.SSHKey) -> HostKey:
    kind, encoded = key.export_public_key().decode().split()[:2]
    return HostKey(line=f"{kind} {encoded}", fingerprint=key.get_fingerprint())


def fingerprint(line: str) -> str:
    """`SHA256:…` of a pinned line; raises ValueError when it is none."""
    try:
        return str(asyncssh.import_public_key(line).get_fingerprint())
    except asyncssh.KeyImportError as error:
        raise ValueError(f"not a public key: {line[:40]!r}") from error


async def fetch(address: Address, tunnel: asyncssh.SSHClientConnection | None) -> HostKey:
    """The key the host shows now; nothing is sent that a stranger could use."""
    async with asyncio.timeout(_TIMEOUT):
        key = await asyncssh.get_server_host_key(
            address.host,
            address.port,
            tunnel=tunnel or (),
            server_host_key_algs=list(_PREFERRED),
            config=None,
        )
    if key is None:
        raise asyncssh.KeyExchangeFailed("the host shows no key")
    return describe(key)
