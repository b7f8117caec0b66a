"""Machines to deploy to: folders behind a demo SSH server or behind a real sshd."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.support.postgres import ROOT
from tests.support.stack import Stack, eventually, free_port

#: Site ports a machine has; all machines of all runs share one loopback.
_RANGE = 40


@dataclass(frozen=True)
class Machine:
    """One host as Liftlock sees it, and its folder as the test sees it."""

    name: str
    port: int
    user: str
    host_key: str
    home: Path

    @property
    def base(self) -> Path:
        return self.home / "liftlock"

    def processes(self, marker: str) -> list[int]:
        """Pids of processes whose environment or arguments hold the marker."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in text:
                found.append(int(entry.name))
        return found


def register(stack: Stack, machine: Machine, **values: Any) -> None:
    """Make the machine known to Liftlock, its key pinned."""
    first = free_range()
    body = {
        "name": machine.name,
        "address": "127.0.0.1",
        "port": machine.port,
        "user": machine.user,
        "host_key": machine.host_key,
        "base_dir": str(machine.base),
        "capacity": 4,
        "port_first": first,
        "port_last": first + _RANGE - 1,
        **values,
    }
    with stack.api as api:
        answer = api.post("/v1/hosts", json=body)
        assert answer.status_code == 201, answer.text


def free_range() -> int:
    """The first of some ports in a row that nothing uses, below those that clients get."""
    while True:
        first = random.randrange(10_000, 32_000)
        if all(_answers(port) is None for port in range(first, first + _RANGE)):
            return first


def identity(stack: Stack) -> str:
    with stack.api as api:
        line: str = api.get("/v1/identity").raise_for_status().json()["authorized_keys"]
        return line


def demo_machine(stack: Stack, name: str, folder: Path) -> Iterator[Machine]:
    """A demo host as `liftlock up --demo` makes them."""
    home, key, port = folder / name, folder / f"{name}.key", free_port()
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh" / "authorized_keys").write_text(identity(stack) + "\n")
    private = asyncssh.generate_private_key("ssh-ed25519")
    private.write_private_key(str(key))
    public = private.export_public_key().decode().split()
    arguments = ["--root", str(home), "--port", str(port), "--host-key", str(key)]
    process = subprocess.Popen(
        [sys.executable, "-m", "local.demo_host", *arguments],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
    )
    try:
        eventually(lambda: _answers(port), f"demo host {name}", seconds=20)
        yield Machine(name, port, "demo", " ".join(public[:2]), home)
    finally:
        process.terminate()
        process.wait(20)


def sshd_machine(stack: Stack, name: str, folder: Path) -> Iterator[Machine]:
    """A real OpenSSH server that runs as this user."""
    sshd, port = shutil.which("sshd", path="/usr/sbin:/usr/bin"), free_port()
    assert sshd, "This suite needs OpenSSH's sshd: apt-get install openssh-server"
    home, key = folder / name, folder / f"{name}.key"
    home.mkdir(mode=0o700)
    private = asyncssh.generate_private_key("ssh-ed25519")
    private.write_private_key(str(key))
    key.chmod(0o600)
    keys = folder / f"{name}.authorized"
    keys.write_text(identity(stack) + "\n")
    config = folder / f"{name}.conf"
    config.write_text(_SSHD.format(port=port, key=key, keys=keys, home=home))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stdout=log, stderr=log)
    try:
        eventually(lambda: _answers(port), f"sshd {name}", seconds=20)
        public = private.export_public_key().decode().split()
        machine = Machine(name, port, _user(), " ".join(public[:2]), home)
        yield machine
        for pid in machine.processes(str(home)):
            os.kill(pid, signal.SIGKILL)
    finally:
        process.terminate()
        process.wait(20)


_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {key}
AuthorizedKeysFile {keys}
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
SetEnv HOME={home}
"""


def _user() -> str:

    return pwd.getpwuid(os.geteuid()).pw_name


def _answers(port: int) -> bool | None:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return None
    return True


@pytest.fixture(scope="module")
def demo_host(stack: Stack, tmp_path_factory: Any) -> Iterator[Machine]:
    """A registered demo host."""
    name = f"demo-{os.urandom(3).hex()}"
    for machine in demo_machine(stack, name, tmp_path_factory.mktemp("demo")):
        register(stack, machine)
        yield machine


@pytest.fixture(scope="module")
def sshd_host(stack: Stack, tmp_path_factory: Any) -> Iterator[Machine]:
    """A registered real OpenSSH server."""
    name = f"sshd-{os.urandom(3).hex()}"
    for machine in sshd_machine(stack, name, tmp_path_factory.mktemp("sshd")):
        register(stack, machine)
        yield machine


@pytest.fixture(
    scope="module",
    params=["demo_host", pytest.param("sshd_host", marks=pytest.mark.sshd)],
)
def machine(request: Any) -> Machine:
    """Each kind of host in turn."""
    found: Machine = request.getfixturevalue(request.param)
    return found
