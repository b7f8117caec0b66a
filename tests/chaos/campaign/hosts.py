"""The campaign's hosts: a real sshd in each place, or demo hosts where there is no sshd."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from local.demo_host import USER as DEMO_USER
from tests.chaos.campaign.network import Place, free_port
from tests.chaos.campaign.processes import Program, kill_marked
from tests.support.postgres import ROOT
from tests.support.sshd import children

#: Ports for sites; on loopback the hosts share them all.
_FIRST, _RANGE = 20_000, 200
_CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {home}/.ssh/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
MaxStartups 100
SetEnv HOME={home}
"""


@dataclass
class Host(Program):
    """One machine as Liftlock sees it; `folder` holds what the judge reads."""

    folder: Path
    place: Place
    number: int
    port: int = field(init=False)
    public_key: str = field(init=False)

    def __post_init__(self) -> None:
        self.port = 22 if self.place.prefix else free_port()
        (self._home / ".ssh").mkdir(parents=True, mode=0o700)
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(self._key))
        self._key.chmod(0o600)
        self.public_key = " ".join(key.export_public_key().decode().split()[:2])

    @property
    def effects(self) -> Path:
        return self.folder / "effects.log"

    @property
    def _home(self) -> Path:
        return self.folder / "home"

    @property
    def _key(self) -> Path:
        return self.folder / "host_key"

    def trust(self, authorized_keys: str) -> None:
        (self._home / ".ssh" / "authorized_keys").write_text(f"{authorized_keys}\n")

    def body(self) -> dict[str, object]:
        """For POST /v1/hosts."""
        first = _FIRST if self.place.prefix else _FIRST + self.number * _RANGE
        return {
            "name": self.name,
            "address": self.place.address,
            # The router of another host comes to its sites there.
            "site_address": self.place.address,
            "port": self.port,
            "user": pwd.getpwuid(os.geteuid()).pw_name if sshd() else DEMO_USER,
            "host_key": self.public_key,
            "base_dir": str(self._home / "liftlock"),
            "capacity": 4,
            "port_first": first,
            "port_last": first + _RANGE - 1,
        }

    def argv(self) -> tuple[str, ...]:
        program = sshd()
        if program is None:
            where = ("--root", str(self._home), "--port", str(self.port))
            return (sys.executable, "-m", "local.demo_host", *where, "--host-key", str(self._key))
        config, at = self.folder / "sshd_config", self.place.address
        config.write_text(
            _CONFIG.format(port=self.port, address=at, folder=self.folder, home=self._home)
        )
        return (*self.place.prefix, program, "-D", "-e", "-f", str(config))

    def options(self) -> dict[str, Any]:
        return {"cwd": ROOT, "env": {**os.environ, "HOME": str(self._home)}}

    def launch(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        super().launch()

    def answers(self) -> bool:
        try:
            socket.create_connection((self.place.address, self.port), 1).close()
        except OSError:
            return False
        return True

    def kill_sessions(self) -> None:
        """All its connections break; the steps that run there go on."""
        for session in children(self.pid):
            # Below the privileged process of a session another one moves the bytes.
            for process in (*children(session), session):
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{process}/comm").read_text().startswith("sshd"):
                        os.kill(process, signal.SIGKILL)

    def sweep(self) -> None:
        """Kill what its steps and sites left."""
        kill_marked(f"HOME={self._home}")


def sshd() -> str | None:
    """The program; None where it is not installed."""
    return shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
