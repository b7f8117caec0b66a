"""A host that only remembers: scripted answers for the engine, no connection."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from worker.remote.errors import FilesChanged, FolderOutside, HostBusy, RemoteError, StaleToken
from worker.remote.host import Fence, HttpAnswer, Listed, Listing, Sent
from worker.steps.step import Command


@dataclass(frozen=True)
class Answer:
    """What a command says, in chunks, and how it ends."""

    exit_code: int = 0
    says: tuple[str, ...] = ()
    error: RemoteError | None = None
    #: It ends when this is set.
    until: asyncio.Event | None = None


@dataclass(frozen=True)
class Ran:
    name: str
    command: Command
    secrets: Mapping[str, str]
    fence: Fence | None


@dataclass
class FakeHost:
    """`answers` by script; a list is used up one by one, its last answer for ever."""

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    pages: list[HttpAnswer | RemoteError] = field(default_factory=lambda: [HttpAnswer(200, "")])
    open_ports: set[int] = field(default_factory=set)
    name: str = "web1"
    ran: list[Ran] = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    asked: list[tuple[int, str]] = field(default_factory=list)
    #: As what each of them was asked: the address, the name, and whether by TLS.
    looked_for: list[tuple[str, str, bool]] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    reaped: list[str] = field(default_factory=list)
    #: What happens on the host, in order.
    history: list[str] = field(default_factory=list)
    #: What the next kills and reaps raise; None: they succeed.
    survivors: list[RemoteError | None] = field(default_factory=list)
    #: The highest token seen of each lock; the job whose processes still hold one.
    tokens: dict[str, int] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    #: What a folder holds, by path, and what is left out of it.
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    #: Whether the folders of it are links to somewhere else.
    links_out: bool = False
    #: What was sent, by the place where it came.
    sent: dict[str, bytes] = field(default_factory=dict)
    #: Set when a command has begun that waits for its `until`.
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def scripts(self) -> list[str]:
        return [ran.command.script for ran in self.ran]

    async def run(
        self,
        command: Command,
        *,
        name: str,
        secrets: Mapping[str, str],
        output: Callable[[str], Awaitable[None]],
        fence: Fence | None = None,
    ) -> int:
        self._compare(fence)
        self._take(fence)
        self.ran.append(Ran(name, command, dict(secrets), fence))
        self.history.append(f"run {name}")
        answer = self._answer(command.script)
        for chunk in answer.says:
            await output(chunk)
        if answer.until:
            self.busy.set()
            await answer.until.wait()
        if answer.error:
            raise answer.error
        return answer.exit_code

    async def http_get(
        self,
        port: int,
        path: str,
        *,
        timeout: float,
        address: str = "127.0.0.1",
        name: str = "",
        tls: bool = False,
    ) -> HttpAnswer:
        self.asked.append((port, path))
        self.looked_for.append((address, name, tls))
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, RemoteError):
            raise page
        return page

    async def port_open(self, port: int, address: str = "127.0.0.1") -> bool:
        return port in self.open_ports

    async def send(
        self, source: Path, to: str, fence: Fence | None = None, *, within: str | None = None
    ) -> Sent:
        self._compare(fence)
        self._take(fence)
        if within is not None and self.links_out:
            raise FolderOutside(f"The folder of {to} is /srv/shared", hint="ls -la")
        self.history.append(f"send {source} to {to}")
        if source.is_file():
            self.sent[to] = source.read_bytes()
        return Sent(files=3, sent_files=1, sent_bytes=10)

    async def list_files(
        self, folder: str, *, within: str, fence: Fence | None = None, show: object = None
    ) -> Listing:
        self._compare(fence)
        self._take(fence)
        self.history.append(f"list {folder}")
        return Listing(tuple(map(self._listed, sorted(self.files))), self.left_out)

    async def fetch(
        self, folder: str, files: Sequence[Listed], into: Path, fence: Fence | None = None
    ) -> None:
        self._compare(fence)
        self._take(fence)
        self.history.append(f"fetch {len(files)} files of {folder}")
        for file in files:
            if self._listed(file.path) != file:
                raise FilesChanged(f"{folder}/{file.path} changed", hint="")
            (into / file.sha256).write_bytes(self.files[file.path])

    async def kill(self, name: str, fence: Fence | None = None) -> None:
        self._compare(fence)
        self.killed.append(name)
        self.history.append(f"kill {name}")
        self._survive()

    async def reap(self, job: str, fence: Fence | None = None) -> None:
        self._compare(fence)
        self.reaped.append(job)
        self.history.append(f"reap {job}")
        self._survive()

    async def clean(self, *names: str, fence: Fence | None = None) -> None:
        self._compare(fence)
        self.cleaned += names
        self.history.append(f"clean {' '.join(names)}")

    async def tidy(self, days: int) -> None:
        self.history.append(f"tidy {days}")

    def _listed(self, path: str) -> Listed:
        content = self.files[path]
        return Listed(path, len(content), hashlib.sha256(content).hexdigest())

    def _compare(self, fence: Fence | None) -> None:
        for name, token in fence.tokens.items() if fence else ():
            if token < (newest := self.tokens.get(name, 0)):
                raise StaleToken(
                    f"refuses token {token} of lock {name}: it has seen {newest}",
                    hint="",
                    lock=name,
                    token=token,
                    newest=newest,
                )
            self.tokens[name] = token

    def _take(self, fence: Fence | None) -> None:
        for name in fence.tokens if fence else ():
            if (holder := self.holders.get(name)) and fence and holder != fence.job:
                raise HostBusy(f"a process that job {holder} started holds lock {name}", hint="")

    def _survive(self) -> None:
        if self.survivors and (error := self.survivors.pop(0)):
            raise error

    def _answer(self, script: str) -> Answer:
        answer = self.answers.get(script, Answer())
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer
