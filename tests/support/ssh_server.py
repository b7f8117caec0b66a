"""A small SSH server inside the test process; its commands run in a folder that is their HOME."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from worker.remote.host import Address

SHELLS = ("dash", "bash", "busybox")
FOUND_SHELLS = tuple(shell for shell in SHELLS if shutil.which(shell))


@dataclass
class Machine:
    """A host as the tests see it: how it is reached, and what lies on it."""

    address: Address
    home: Path
    identity: str

    @property
    def base(self) -> Path:
        return self.home / "liftlock"

    def step(self, name: str) -> Path:
        return self.base / "steps" / name

    def processes(self, variable: str) -> list[int]:
        """Those that were started with `NAME=value` in their environment."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found

    def sweep(self) -> None:
        """End what tests left running on it."""
        for process in self.processes(f"LIFTLOCK_BASE={self.base}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    async def drop(self) -> None:
        """Break every connection, without a word to the other side."""
        raise NotImplementedError


class SshServer(Machine):
    """Behind asyncssh, with a switch for what a server may refuse."""

    forwarding = True
    #: Nobody gets a connection while it is.
    away = False
    connections: set[asyncssh.SSHServerConnection]
    commands: list[str]
    calls: set[asyncio.Task[None] | None]

    async def drop(self) -> None:
        for connection in tuple(self.connections):
            connection.abort()


class _Owner(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.connections.add(conn)
        if self._server.away:
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self._connection)

    def connection_requested(self, *target: object) -> bool:
        if not self._server.forwarding:
            prohibited = asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
            raise asyncssh.ChannelOpenError(prohibited, "administratively prohibited")
        return True


def links_to(shell: str, folder: Path) -> str:
    """A PATH on which `sh` is this shell; busybox brings its own small programs too."""
    folder.mkdir()
    program = shutil.which(shell)
    assert program
    if shell == "busybox":
        subprocess.run([program, "--install", "-s", folder], check=True)
        # Debian builds it without this one, others with it.
        if not (folder / "flock").exists():
            (folder / "flock").symlink_to(shutil.which("flock") or "/usr/bin/flock")
        return str(folder)
    (folder / "sh").symlink_to(program)
    return f"{folder}:{os.environ['PATH']}"


@asynccontextmanager
async def running_server(
    folder: Path, *, shell: str = "sh", name: str = "demo", noise: str = ""
) -> AsyncIterator[SshServer]:
    """On a free port, until the end of the block; `noise` is what the login shell runs first."""
    home = folder / "home"
    home.mkdir(parents=True)
    path = links_to(shell, folder / "bin")
    key, identity = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    authorized = asyncssh.import_authorized_keys(identity.export_public_key().decode())
    address = Address(
        name=name,
        host="127.0.0.1",
        port=0,
        user="deploy",
        host_key=" ".join(key.export_public_key().decode().split()[:2]),
        base_dir="liftlock",
        sudo=False,
        jump=None,
    )
    server = SshServer(address, home, identity.export_private_key().decode())
    server.connections, server.commands, server.calls = set(), [], set()

    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        server.commands.append(process.command or "")
        server.calls.add(asyncio.current_task())
        command = f"{noise} {process.command}"
        await _run(process, command, home, {"HOME": str(home), "PATH": path})

    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Owner(server),
        server_host_keys=[key],
        authorized_client_keys=authorized,
        process_factory=run,
        encoding=None,
    )
    server.address = Address(**{**vars(address), "port": listener.get_port()})
    try:
        yield server
    finally:
        await server.drop()
        server.sweep()
        listener.close()
        await listener.wait_closed()
        await asyncio.gather(*filter(None, server.calls), return_exceptions=True)


async def _run(
    process: asyncssh.SSHServerProcess[bytes],
    command: str,
    home: Path,
    environment: dict[str, str],
) -> None:
    local = await asyncio.create_subprocess_exec(
        shutil.which("sh", path=environment["PATH"]) or "sh",
        "-c",
        command,
        cwd=home,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert local.stdin
    assert local.stdout
    assert local.stderr
    feeding = asyncio.create_task(_pump(process.stdin, local.stdin, close=True))
    pumps = asyncio.gather(
        _pump(local.stdout, process.stdout),
        _pump(local.stderr, process.stderr),
    )
    gone = asyncio.create_task(process.channel.wait_closed())
    try:
        await asyncio.wait({pumps, gone}, return_when=asyncio.FIRST_COMPLETED)
        if pumps.done():
            process.exit(await local.wait())
    finally:
        # Like sshd: the caller's processes end with the connection, detached ones do not.
        with contextlib.suppress(ProcessLookupError):
            local.kill()
        for task in (feeding, pumps, gone):
            task.cancel()
        await asyncio.gather(feeding, pumps, gone, return_exceptions=True)
        # First: it is not over while output that nobody reads stands in its pipes.
        local._transport.close()  # a detached grandchild may hold them as well
        await local.wait()


async def _pump(source: Any, target: Any, *, close: bool = False) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    if close:
        target.close()
