"""A real OpenSSH server, run as this user on a free port, with a folder of its own as HOME."""

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from tests.support.ssh_server import Machine
from worker.remote.host import Address

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
SetEnv HOME={folder}/home
{extra}
"""


class Sshd(Machine):
    pid: int

    async def drop(self) -> None:
        self.signal_sessions(signal.SIGKILL)

    def signal_sessions(self, number: signal.Signals) -> None:
        for child in children(self.pid):
            # Below the privileged process of a session another one moves the bytes.
            for process in (*children(child), child):
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{process}/comm").read_text().strip() == "sshd":
                        os.kill(process, number)


def children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


@asynccontextmanager
async def running_sshd(folder: Path, *, extra: str = "", name: str = "sshd") -> AsyncIterator[Sshd]:
    """Until the end of the block; `extra` are more lines of sshd_config."""
    (folder / "home").mkdir(parents=True)
    server = _configure(folder, extra=extra, name=name)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program, "no sshd on this machine: apt-get install openssh-server"
    with (folder / "sshd.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            "-D",
            "-e",
            "-f",
            str(folder / "sshd_config"),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=log,
        )
    server.pid = process.pid
    try:
        await _answering(server.address.port, folder / "sshd.log")
        yield server
    finally:
        await server.drop()
        server.sweep()
        process.terminate()
        await process.wait()


def _configure(folder: Path, *, extra: str, name: str) -> Sshd:
    key, identity = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    key.write_private_key(str(folder / "host_key"))
    (folder / "host_key").chmod(0o600)
    identity.write_public_key(str(folder / "authorized_keys"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sshd_config").write_text(_CONFIG.format(port=port, folder=folder, extra=extra))
    public = " ".join(key.export_public_key().decode().split()[:2])
    user = getpass.getuser()
    address = Address(name, "127.0.0.1", port, user, public, "liftlock", sudo=False, jump=None)
    return Sshd(address, folder / "home", identity.export_private_key().decode())


async def _answering(port: int, log: Path) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise AssertionError(f"sshd did not start: {log.read_text()}")
