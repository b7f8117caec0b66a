"""Where the campaign's programs stand: network namespaces on one bridge, or all on loopback."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network
from typing import Protocol

LOOPBACK = "127.0.0.1"
#: Programs that partitions need, and the packages that have them.
_TOOLS = {"ip": "iproute2", "iptables": "iptables"}
_ADMIN_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class Way(Enum):
    """Which packets of a place do not arrive."""

    BOTH = ("INPUT", "OUTPUT")
    IN = ("INPUT",)
    OUT = ("OUTPUT",)


@dataclass(frozen=True)
class Place:
    """Where a program runs: its address there, and what stands before its command."""

    name: str
    address: str
    prefix: tuple[str, ...] = ()


class Network(Protocol):
    #: The address of the servers and APIs, which every place reaches.
    center: Place

    def place(self, name: str) -> Place: ...

    def remove(self) -> None: ...


@dataclass
class Loopback:
    """One address for all; only the ports differ."""

    center: Place = field(default=Place("center", LOOPBACK))

    def place(self, name: str) -> Place:
        return Place(name, LOOPBACK)

    def remove(self) -> None:
        """Nothing was made."""


@dataclass
class Namespaces:
    """A bridge, and for each place a namespace of its own; every name has the id of the run."""

    run: str
    center: Place = field(init=False)
    _subnet: str = field(init=False)
    _made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._subnet = _free_subnet()
        self.center = Place("center", f"{self._subnet}.1")
        _ip("link", "add", self._bridge, "type", "bridge")
        try:
            _ip("addr", "add", f"{self.center.address}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
        except BaseException:
            self.remove()
            raise

    def place(self, name: str) -> Place:
        number = len(self._made) + 2
        inside, namespace = f"{self._subnet}.{number}", self._namespace(name)
        outer = self._outer(name)
        _ip("netns", "add", namespace)
        self._made.append(name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", outer, "master", self._bridge, "up")
        _ip("-n", namespace, "addr", "add", f"{inside}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", namespace, "link", "set", link, "up")
        return Place(name, inside, (_program("ip"), "netns", "exec", namespace))

    def cut(self, place: Place, peer: str, *, way: Way, port: int | None = None) -> None:
        """Packets between the place and the peer (at its TCP port) are dropped."""
        for rule in _rules(peer, way, port):
            self._iptables(place, "-A", rule)

    def mend(self, place: Place, peer: str, *, way: Way, port: int | None = None) -> None:
        """End one such cut."""
        for rule in _rules(peer, way, port):
            self._iptables(place, "-D", rule)

    def plug(self, place: Place, *, up: bool) -> None:
        """Pull the cable of the place, or put it back."""
        _ip("link", "set", self._outer(place.name), "up" if up else "down")

    def remove(self) -> None:
        """Everything this run made, with whatever still runs there; what fails stays behind."""
        with contextlib.suppress(FileNotFoundError):
            for name in self._made:
                namespace = self._namespace(name)
                for pid in _output("ip", "netns", "pids", namespace).split():
                    with contextlib.suppress(OSError):
                        os.kill(int(pid), signal.SIGKILL)
                _output("ip", "netns", "del", namespace)
                # The namespace may outlive its name for as long as a process is ending in it.
                _output("ip", "link", "del", self._outer(name))
            _output("ip", "link", "del", self._bridge)

    @property
    def _bridge(self) -> str:
        return f"ll{self.run}"

    def _outer(self, name: str) -> str:
        # The kernel allows 15 characters.
        return f"l{self.run}{name[:1]}{name.rpartition('-')[2]}"

    def _namespace(self, name: str) -> str:
        return f"liftlock-{self.run}-{name}"

    def _iptables(self, place: Place, what: str, rule: Sequence[str]) -> None:
        _run(*place.prefix, _program("iptables"), "-w", what, *rule)


def lacking() -> str | None:
    """Why there can be no namespaces here; None when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [package for tool, package in _TOOLS.items() if not _find(tool)]
    if missing:
        return f"not installed: {', '.join(missing)}"
    probe = f"liftlock-{os.urandom(4).hex()}"
    try:
        _ip("netns", "add", probe)
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made: {error.stderr.strip()}"
    try:
        _run(_program("ip"), "netns", "exec", probe, _program("iptables"), "-w", "-S")
        _ip("-n", probe, "link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b")
    except subprocess.CalledProcessError as error:
        return f"namespaces are of no use: {error.stderr.strip()}"
    finally:
        _ip("netns", "del", probe)
    return None


def free_port(address: str = LOOPBACK) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _rules(peer: str, way: Way, port: int | None) -> Iterator[tuple[str, ...]]:
    for chain in way.value:
        side, of_port = ("-s", "--sport") if chain == "INPUT" else ("-d", "--dport")
        tcp = ("-p", "tcp", of_port, str(port)) if port else ()
        yield (chain, side, peer, *tcp, "-j", "DROP")


def _free_subnet() -> str:
    """The first three numbers of a /24 to which this machine has no route but the default one."""
    taken = list(_networks(_output("ip", "-4", "route", "show", "table", "all")))
    while True:
        subnet = f"10.{random.randrange(100, 250)}.{random.randrange(256)}"
        if not any(route.overlaps(IPv4Network(f"{subnet}.0/24")) for route in taken):
            return subnet


def _networks(routes: str) -> Iterator[IPv4Network]:
    for word in routes.split():
        with contextlib.suppress(ValueError):
            yield IPv4Network(word)


def _ip(*arguments: str) -> None:
    _run(_program("ip"), *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _output(tool: str, *arguments: str) -> str:
    done = subprocess.run([_program(tool), *arguments], check=False, capture_output=True, text=True)
    return done.stdout


def _program(tool: str) -> str:
    found = _find(tool)
    if not found:
        raise FileNotFoundError(f"{tool} is not installed: apt-get install {_TOOLS[tool]}")
    return found


def _find(tool: str) -> str | None:
    return shutil.which(tool, path=_ADMIN_PATH)
