"""A host as the rest of the worker sees it: its address, and what can be asked of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from worker.steps.step import Command

#: Takes decoded output, in pieces of any size.
Output = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Address:
    """How a host is reached; without `host_key` it is not enrolled and gets no login."""

    name: str
    host: str
    port: int
    user: str
    host_key: str | None  # as in known_hosts, without the name: `ssh-ed25519 AAAA…`
    base_dir: str  # relative: below the home of `user`
    sudo: bool
    jump: "Address | None"

    def __str__(self) -> str:
        return f"{self.name} ({self.user}@{self.host}:{self.port})"


@dataclass(frozen=True)
class HostKey:
    line: str  # `ssh-ed25519 AAAA…`
    fingerprint: str  # `SHA256:…`


@dataclass(frozen=True)
class HttpAnswer:
    """What a port on the host answered. Status 0: no HTTP answer came, `problem` says why."""

    status: int
    body: str  # the first 64 KiB
    problem: str | None = None


class Host(Protocol):
    """Steps and probes on one host; every method may raise a `RemoteError`."""

    @property
    def name(self) -> str: ...

    async def run(
        self, command: Command, *, name: str, secrets: Mapping[str, str], output: Output
    ) -> int:
        """Run the command once under this name, or follow it when it already runs; its exit code.

        It goes on when the connection breaks or this call is cancelled. After
        `command.timeout` seconds it is killed and `StepTimeout` raised.
        """
        ...

    async def http_get(self, port: int, path: str, *, timeout: float) -> HttpAnswer:  # noqa: ASYNC109
        """GET 127.0.0.1:port on the host, through the SSH connection."""
        ...

    async def port_open(self, port: int) -> bool:
        """Whether something on the host accepts connections to 127.0.0.1:port."""
        ...

    async def clean(self, name: str) -> None:
        """Forget a step that has ended: its folder on the host is removed."""
        ...
