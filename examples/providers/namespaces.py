#!/usr/bin/env python3
"""Makes network namespaces on this machine, each with a real sshd, as machines for Liftlock.

They share the files and the processes of this machine, and reach nothing but it: they are for
trying and testing. Needs root, iproute2, openssh-server and nothing of Liftlock.
NAMESPACES_FOLDER says where it keeps what it has made; /var/lib/namespaces by default.
"""

import contextlib
import fcntl
import getpass
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("NAMESPACES_FOLDER", "/var/lib/namespaces"))
NO_SUCH_MACHINE = 3
#: Pairs of addresses below 10.213.0.0/16, one for each machine.
NETWORKS = 1 << 14
SSHD = """\
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PidFile none
SetEnv HOME={folder}/home
"""


class Machine:
    """All names follow from the tag, so that whatever is half made is found again."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.name = f"ll-{hashlib.sha256(tag.encode()).hexdigest()[:8]}"
        self.folder = FOLDER / self.name

    def described(self) -> dict[str, Any]:
        """How it is reached; nothing while it is half made."""
        file = self.folder / "machine.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def make(self, authorized_keys: str) -> dict[str, Any]:
        """The tag is written down first: from then on `list` knows of it."""
        (self.folder / "home").mkdir(parents=True)
        self.keep("tag", self.tag)
        self.keep("authorized_keys", authorized_keys)
        say(f"making the namespace {self.name}")
        address = self.connect()
        say(f"starting sshd at {address}")
        key = self.start_sshd(address)
        found = {"address": address, "port": 22, "user": getpass.getuser(), "host_key": key}
        # Sites listen there too, so that routers elsewhere find them.
        found["site_address"] = address
        self.keep("machine.json", json.dumps(found))
        return found

    def keep(self, name: str, text: str) -> None:
        """The whole file or none."""
        draft = self.folder / f"{name}.new"
        draft.write_text(text)
        draft.rename(self.folder / name)

    def connect(self) -> str:
        """Two ends of a cable, one inside; the address of that."""
        outside, inside = free_network(int(self.name[3:], 16))
        ip("netns", "add", self.name)
        ip("link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{outside}/30", "dev", self.name)
        ip("link", "set", self.name, "up")
        for link in ("lo", "eth0"):
            ip("-n", self.name, "link", "set", link, "up")
        ip("-n", self.name, "addr", "add", f"{inside}/30", "dev", "eth0")
        return inside

    def start_sshd(self, address: str) -> str:
        """Returns its public key. It leaves this program's session by itself."""
        key, config = self.folder / "host_key", self.folder / "sshd_config"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key))
        config.write_text(SSHD.format(address=address, folder=self.folder))
        Path("/run/sshd").mkdir(exist_ok=True)
        words = ("/usr/sbin/sshd", "-f", str(config), "-E", f"{self.folder}/sshd.log")
        ip("netns", "exec", self.name, *words)
        return " ".join(key.with_suffix(".pub").read_text().split()[:2])

    def remove(self) -> None:
        """Whatever there is of it; the tag is forgotten last."""
        while pids := self.processes():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        if Path("/sys/class/net", self.name).exists():
            ip("link", "del", self.name)
        if Path("/run/netns", self.name).exists():
            ip("netns", "del", self.name)
        grave = FOLDER / f"gone-{self.name}"
        shutil.rmtree(grave, ignore_errors=True)
        self.folder.rename(grave)
        shutil.rmtree(grave)

    def processes(self) -> list[int]:
        try:
            return [int(pid) for pid in ip("netns", "pids", self.name).split()]
        except subprocess.CalledProcessError:
            return []


def create(machine: Machine, authorized_keys: str) -> dict[str, Any]:
    """Asked again for the same tag, it answers with the same machine."""
    found = machine.described()
    if not found:
        if machine.folder.exists():
            say(f"removing what was half made of {machine.name}")
            machine.remove()
        try:
            found = machine.make(authorized_keys)
        except subprocess.CalledProcessError:
            # Where `list` knows no such tag, there certainly is no machine.
            machine.remove()
            raise
    return {"id": machine.name, **found}


def destroy(machine: Machine) -> dict[str, Any]:
    if not machine.folder.exists():
        say(f"there is no machine of the tag {machine.tag}")
        sys.exit(NO_SUCH_MACHINE)
    machine.remove()
    return {"gone": True}


def listed() -> dict[str, Any]:
    found = []
    for file in sorted(FOLDER.glob("ll-*/tag")):
        # It may be removed just now.
        with contextlib.suppress(FileNotFoundError):
            machine = Machine(file.read_text())
            made = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat()
            told = {"tag": machine.tag, "id": machine.name, "created": made}
            found.append({**told, **machine.described()})
    return {"machines": found}


def free_network(first: int) -> tuple[str, str]:
    """The addresses of both ends: of the first network, from there on, that nothing here uses."""
    used, place = ip("-4", "-o", "addr"), first % NETWORKS
    while f" 10.213.{place >> 6}.{place % 64 * 4 + 1}/" in used:
        place = (place + 1) % NETWORKS
    return f"10.213.{place >> 6}.{place % 64 * 4 + 1}", f"10.213.{place >> 6}.{place % 64 * 4 + 2}"


def ip(*words: str) -> str:
    return run("ip", *words)


def run(*words: str) -> str:
    """Nothing that it starts holds this program's output open."""
    nothing = subprocess.DEVNULL
    return subprocess.run(words, check=True, capture_output=True, text=True, stdin=nothing).stdout


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> dict[str, Any]:
    request = json.load(sys.stdin)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if request["action"] == "list":
        return listed()
    machine = Machine(request["tag"])
    # One change at a time; the kernel ends the lock with this process.
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if request["action"] == "destroy":
            return destroy(machine)
        return create(machine, request["authorized_keys"])


if __name__ == "__main__":
    try:
        print(json.dumps(main()))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}: {error.stderr.strip()}")
