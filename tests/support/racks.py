"""Several hosts: network namespaces on one bridge, each with a real sshd and a cable to pull."""

import asyncio
import contextlib
import getpass
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from tests.chaos.campaign.network import Namespaces, Place

_CONFIG = """\
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
MaxStartups 100
SetEnv HOME={folder}/home
"""


@dataclass
class Rack:
    """`identity` opens every host."""

    network: Namespaces
    folder: Path
    key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519")
    )
    made: dict[str, "RackHost"] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        return self.key.export_private_key().decode()

    async def host(self, name: str) -> "RackHost":
        """It takes logins when this returns."""
        folder = self.folder / name
        (folder / "home").mkdir(parents=True)
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(folder / "host_key"))
        (folder / "host_key").chmod(0o600)
        self.key.write_public_key(str(folder / "authorized_keys"))
        place = self.network.place(f"h-{len(self.made) + 1}")
        config = folder / "sshd_config"
        config.write_text(_CONFIG.format(address=place.address, folder=folder))
        Path("/run/sshd").mkdir(exist_ok=True)
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program, "no sshd on this machine: apt-get install openssh-server"
        with (folder / "sshd.log").open("wb") as log:
            sshd = await asyncio.create_subprocess_exec(
                *(*place.prefix, program, "-D", "-e", "-f", str(config)),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        public = " ".join(key.export_public_key().decode().split()[:2])
        host = self.made[name] = RackHost(name, self, place, public, folder / "home", sshd)
        await host.answering()
        return host

    async def remove(self) -> None:
        """Whatever runs there is killed with its namespace."""
        await asyncio.to_thread(self.network.remove)
        for host in self.made.values():
            await host.sshd.wait()


@dataclass
class RackHost:
    name: str
    rack: Rack
    place: Place
    host_key: str
    home: Path
    sshd: asyncio.subprocess.Process

    @property
    def address(self) -> str:
        return self.place.address

    @property
    def base(self) -> Path:
        return self.home / "liftlock"

    @property
    def row(self) -> dict[str, object]:
        """Of the `hosts` table."""
        return {
            "name": self.name,
            "address": self.address,
            "site_address": self.address,
            "username": getpass.getuser(),
            "host_key": self.host_key,
            "port_first": 20_000,
            "port_last": 20_099,
            "next_port": 20_000,
        }

    def cut(self) -> None:
        """Nothing reaches it, and nobody is told."""
        self.rack.network.plug(self.place, up=False)

    def mend(self) -> None:
        self.rack.network.plug(self.place, up=True)

    async def answering(self) -> None:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(self.address, 22)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.02)
