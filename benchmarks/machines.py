"""Machines to work on: a real sshd that runs as this user, or a demo host where there is none."""

import getpass
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from benchmarks.rig import Api
from benchmarks.servers import Servers, eventually
from worker.remote.host import Address

_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {key}
AuthorizedKeysFile {home}/.ssh/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
SetEnv HOME={home}
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Machine:
    name: str
    port: int
    user: str
    host_key: str
    home: Path
    #: The benchmark's own key for it.
    key: asyncssh.SSHKey

    @property
    def address(self) -> Address:
        return Address(
            name=self.name,
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            host_key=self.host_key,
            base_dir=str(self.home / "liftlock"),
            sudo=False,
            jump=None,
        )

    @property
    def identity(self) -> str:
        """The private key in the form that the worker's pool takes."""
        return self.key.export_private_key("openssh").decode()

    def connect(self) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
        """A bare connection, with the cipher that Liftlock prefers."""
        opened: AbstractAsyncContextManager[asyncssh.SSHClientConnection] = asyncssh.connect(
            "127.0.0.1",
            self.port,
            username=self.user,
            client_keys=[self.key],
            known_hosts=None,
            agent_path=None,
            config=None,
            encryption_algs=["aes128-gcm@openssh.com"],
        )
        return opened

    async def register(self, api: Api) -> None:
        """Let this Liftlock in, and tell it about the machine."""
        identity = (await api.ask("GET", "/v1/identity"))["authorized_keys"]
        with (self.home / ".ssh" / "authorized_keys").open("a") as keys:
            keys.write(f"{identity}\n")
        body = {
            "name": self.name,
            "address": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "host_key": self.host_key,
            "base_dir": str(self.home / "liftlock"),
        }
        await api.ask("POST", "/v1/hosts", body)


def kind() -> str:
    """What the machines of this run are."""
    return "real sshd" if _sshd() else "demo hosts of `liftlock up --demo` (no sshd here)"


@asynccontextmanager
async def machines(servers: Servers, count: int = 1) -> AsyncIterator[list[Machine]]:
    """So many, each with a folder of its own as home."""
    sshd, made, running = _sshd(), [], []
    for number in range(count):
        machine = _machine(servers.folder, f"host-{number}", "demo" if not sshd else None)
        argv = _sshd_command(sshd, machine) if sshd else _demo_command(machine)
        name, environment = f"{machine.name}-{machine.port}", {"HOME": str(machine.home)}
        running.append(
            servers.run(name, argv)
            if sshd
            else servers.python(name, "local.demo_host", *argv, env=environment)
        )
        made.append(machine)
    try:
        for machine in made:
            port = machine.port
            await eventually(lambda port=port: _accepts(port), machine.name)  # type: ignore[misc]
        yield made
    finally:
        for process in running:
            servers.end(process)


def _machine(folder: Path, name: str, user: str | None) -> Machine:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = folder / f"{name}-{port}"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    key, host_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host_key.write_private_key(str(home.with_suffix(".key")))
    home.with_suffix(".key").chmod(0o600)
    key.write_public_key(str(home / ".ssh" / "authorized_keys"))
    public = " ".join(host_key.export_public_key().decode().split()[:2])
    return Machine(name, port, user or getpass.getuser(), public, home, key)


def _sshd() -> str | None:
    return shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


def _sshd_command(sshd: str, machine: Machine) -> list[str]:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    config = machine.home.with_suffix(".conf")
    key = machine.home.with_suffix(".key")
    config.write_text(_SSHD.format(port=machine.port, key=key, home=machine.home))
    return [sshd, "-D", "-e", "-f", str(config)]


def _demo_command(machine: Machine) -> list[str]:
    key = machine.home.with_suffix(".key")
    return ["--root", str(machine.home), "--port", str(machine.port), "--host-key", str(key)]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
