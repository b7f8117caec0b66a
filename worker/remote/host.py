"""A host as the rest of the worker sees it: its address, and what can be asked of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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


@dataclass(frozen=True)
class Sent:
    """What a folder or file consisted of, and what of it the host did not have yet."""

    files: int
    sent_files: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A file on the host."""

    path: str  # below the folder that was listed; no `..`, no control characters
    size: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    files: tuple[Listed, ...]  # by path
    #: What is there besides and cannot be fetched: a sentence each, which begins with its name.
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Fence:
    """The locks a step works under: the host refuses a token lower than one it has seen."""

    tokens: Mapping[str, int]  # by name of the lock
    job: str
    note: str  # who works there, for whoever finds the host busy


class Host(Protocol):
    """Steps and probes on one host; every method may raise a `RemoteError`."""

    @property
    def name(self) -> str: ...

    async def run(
        self,
        command: Command,
        *,
        name: str,
        secrets: Mapping[str, str],
        output: Output,
        fence: Fence | None = None,
    ) -> int:
        """Run the command once under this name, or follow it when it already runs; its exit code.

        It goes on when the connection breaks or this call is cancelled. After `command.timeout`
        seconds, or `command.silence` without output, it is killed: StepTimeout, StepSilent. Raises
        StepVanished when its process is gone without an exit code; and before it is started
        StaleToken, and HostBusy when another job's processes hold a lock.
        """
        ...

    async def http_get(
        self,
        port: int,
        path: str,
        *,
        timeout: float,  # noqa: ASYNC109 - a silent site is an answer
        address: str = "127.0.0.1",
        name: str = "",
        tls: bool = False,
    ) -> HttpAnswer:
        """GET address:port as the host sees it, through the SSH connection.

        `name` is what is asked for, as `Host` and as TLS's SNI; empty: the address with the port,
        and no SNI. With `tls` any certificate is taken. After `timeout` seconds in all the answer
        is a problem, unless the host itself is silent too: HostUnreachable.
        """
        ...

    async def port_open(self, port: int, address: str = "127.0.0.1") -> bool:
        """Whether something on the host accepts connections to 127.0.0.1:port."""
        ...

    async def send(
        self, source: Path, to: str, fence: Fence | None = None, *, within: str | None = None
    ) -> Sent:
        """Put a folder with its files, or one file, below the base folder; only what is missing.

        Other files that stand there stay. Each appears whole or not at all; when this is
        interrupted, the old ones stay until somebody sends again. Raises StaleToken, HostBusy, and
        FolderOutside when links lead from there to a place that is not in the folder `within`; then
        nothing is put there.
        """
        ...

    async def list_files(
        self, folder: str, *, within: str, fence: Fence | None = None, show: Output | None = None
    ) -> Listing:
        """The files in a folder below the base folder, at any depth; it may be a link itself.

        A link in it is the file that it leads to, if that lies in the folder `within` or in the
        listed one. An earlier listing of the job is ended first; `show` gets a line now and then.
        Raises FilesChanged when there is no such folder, StaleToken and HostBusy.
        """
        ...

    async def fetch(
        self, folder: str, files: Sequence[Listed], into: Path, fence: Fence | None = None
    ) -> None:
        """Put the contents of these files of the folder into `into`, each under its sha256.

        What is there already is not asked for. Each appears whole and right or not at all; what has
        arrived stays when this is interrupted. Raises FilesChanged when one is not as it was
        listed, StaleToken and HostBusy.
        """
        ...

    async def kill(self, name: str, fence: Fence | None = None) -> None:
        """End a step with everything it started; ProcessesSurvived when that fails.

        Whoever follows it gets its exit code, or 137. Nobody can start it before it is cleaned.
        """
        ...

    async def reap(self, job: str, fence: Fence | None = None) -> None:
        """End every process of every step of the job; ProcessesSurvived when one is left.

        Also those that hold a lock which the job was the last to take. Services live on. A process
        escapes that left its session, emptied its environment, lost its parent and closed what it
        had inherited.
        """
        ...

    async def clean(self, *names: str, fence: Fence | None = None) -> None:
        """Forget steps that have ended: their folders on the host are removed.

        What is left of one that vanished is ended first. Raises StaleToken.
        """
        ...

    async def tidy(self, days: int) -> None:
        """Remove folders of steps that ended so many days ago, and runners that nobody needs.

        At least one day; at most 500 folders at a time.
        """
        ...
