"""One attempt at an SSH connection, and what it means when it fails."""

import socket
from typing import Any

import asyncssh

from worker.remote import host_key
from worker.remote.errors import (
    AuthFailed,
    ForwardingRefused,
    HostKeyChanged,
    HostKeyMissing,
    HostUnreachable,
    RemoteError,
)
from worker.remote.host import Address

#: AES-GCM is twice as fast as asyncssh's first choice on today's processors.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
#: Milliseconds.
_UNACKNOWLEDGED = 20_000

_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


class _Client(asyncssh.SSHClient):
    """Remembers the key of a host that is not trusted, for the message."""

    seen: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self,
        host: str,  # noqa: ARG002 - asyncssh's signature
        addr: str,  # noqa: ARG002
        port: int,  # noqa: ARG002
        key: asyncssh.SSHKey,
    ) -> bool:
        self.seen = key
        return False


async def connect(
    address: Address,
    identities: list[asyncssh.SSHKey],
    tunnel: asyncssh.SSHClientConnection | None,
) -> asyncssh.SSHClientConnection:
    """Connect and log in, once; every failure comes as a `RemoteError`."""
    if address.host_key is None:
        raise HostKeyMissing(
            f"Host {address} is not enrolled: no host key is pinned, so nobody can tell it "
            "from another machine.",
            hint=f"Enroll it and compare the fingerprint: liftlock hosts enroll {address.name}",
        )
    client = _Client()
    try:
        connection = await asyncssh.connect(
            address.host,
            address.port,
            tunnel=tunnel or (),
            client_factory=lambda: client,
            **_options(address, identities),
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise await _changed(address, address.host_key, client.seen, tunnel) from error
    except asyncssh.KeyExchangeFailed as error:
        # The host has no key of the pinned kind any more.
        raise await _changed(address, address.host_key, None, tunnel) from error
    except asyncssh.PermissionDenied as error:
        raise refused_login(address, identities) from error
    except (OSError, asyncssh.Error) as error:
        raise unreachable(address, error) from error
    _bound_silence(connection)
    return connection


def _bound_silence(connection: asyncssh.SSHClientConnection) -> None:
    """Let the kernel too give up on a peer that acknowledges nothing."""
    sock = connection.get_extra_info("socket")
    if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED)


def _options(address: Address, identities: list[asyncssh.SSHKey]) -> dict[str, Any]:
    pinned = asyncssh.import_public_key(address.host_key or "")
    return {
        "username": address.user,
        "client_keys": identities,
        "known_hosts": ([pinned], [], []),
        # The pinned kind first; a host that has lost it shows what it has, for the message.
        "server_host_key_algs": [name.decode() for name in pinned.sig_algorithms] + list(_KINDS),
        "preferred_auth": "publickey",
        "agent_path": None,
        "agent_forwarding": False,
        "config": None,
        "encryption_algs": list(_CIPHERS),
        "connect_timeout": 10,
        "login_timeout": 15,
        "keepalive_interval": 5,
        # asyncssh gives up one interval after the last one: silent for 5 s three times.
        "keepalive_count_max": 2,
    }


async def _changed(
    address: Address,
    pinned: str,
    seen: asyncssh.SSHKey | None,
    tunnel: asyncssh.SSHClientConnection | None,
) -> RemoteError:
    try:
        found = host_key.describe(seen) if seen else await host_key.fetch(address, tunnel)
    except (OSError, asyncssh.Error) as error:
        return unreachable(address, error)
    wanted = host_key.fingerprint(pinned)
    if found.fingerprint == wanted:
        return HostUnreachable(
            f"Host {address} shows the pinned key, but no common way to exchange keys was found.",
            hint=f"Look at the server's algorithms: ssh -vv -p {address.port} {address.host}",
        )
    return HostKeyChanged(
        f"Host {address} shows another key: pinned is {wanted}, found was {found.fingerprint}. "
        "Nothing was sent to it.",
        hint="If the machine was reinstalled, read its fingerprint on its own console "
        "(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then pin the new key: "
        f"liftlock hosts enroll {address.name}. Otherwise somebody stands in between.",
    )


def refused_login(address: Address, identities: list[asyncssh.SSHKey]) -> AuthFailed:
    if not identities:
        return AuthFailed(
            f"Host {address} wants a key and Liftlock has no identity yet.",
            hint="Make one: liftlock identity rotate",
        )
    public = " ".join(identities[0].export_public_key().decode().split()[:2])
    return AuthFailed(
        f"Host {address} does not let {address.user} in with any of Liftlock's "
        f"{len(identities)} key(s).",
        hint=f"Run as {address.user} on {address.host}: mkdir -p -m 700 ~/.ssh && "
        f"echo '{public} liftlock' >> ~/.ssh/authorized_keys && "
        "chmod 600 ~/.ssh/authorized_keys",
    )


def unreachable(address: Address, error: Exception) -> RemoteError:
    """What a failed connect or channel means, for a host that may be behind another."""
    if isinstance(error, asyncssh.ChannelOpenError) and address.jump is not None:
        return _not_through(address, address.jump, error)
    return HostUnreachable(
        f"Host {address} does not answer: {_reason(error)}.",
        hint=f"Try it from the machine of the worker: ssh -p {address.port} "
        f"{address.user}@{address.host} true",
    )


def _not_through(address: Address, jump: Address, error: asyncssh.ChannelOpenError) -> RemoteError:
    if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return forwarding_refused(jump, f"{address.host}:{address.port}")
    return HostUnreachable(
        f"Host {address} cannot be reached from its jump host {jump}: {error.reason}.",
        hint=f"Try it: ssh -J {jump.user}@{jump.host}:{jump.port} -p {address.port} "
        f"{address.user}@{address.host} true",
    )


def forwarding_refused(address: Address, target: str) -> ForwardingRefused:
    return ForwardingRefused(
        f"The SSH server of host {address} forbids forwarding to {target}.",
        hint=f"Allow it in sshd_config on {address.host} (AllowTcpForwarding local, and no "
        "PermitOpen that excludes it), then reload: sudo systemctl reload ssh",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return "the port refuses connections"
    if isinstance(error, TimeoutError):
        return "no connection within 10 seconds"
    if isinstance(error, asyncssh.Error):
        return error.reason or type(error).__name__
    return str(error) or type(error).__name__
