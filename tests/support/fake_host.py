"""A host that only remembers: scripted answers for the engine, no connection."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from worker.remote.errors import RemoteError
from worker.remote.host import HttpAnswer
from worker.steps.step import Command


@dataclass(frozen=True)
class Answer:
    """What a command says, in chunks, and how it ends."""

    exit_code: int = 0
    says: tuple[str, ...] = ()
    error: RemoteError | None = None


@dataclass(frozen=True)
class Ran:
    name: str
    command: Command
    secrets: Mapping[str, str]


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
    ) -> int:
        self.ran.append(Ran(name, command, dict(secrets)))
        answer = self._answer(command.script)
        for chunk in answer.says:
            await output(chunk)
        if answer.error:
            raise answer.error
        return answer.exit_code

    async def http_get(self, port: int, path: str, *, timeout: float) -> HttpAnswer:
        self.asked.append((port, path))
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, RemoteError):
            raise page
        return page

    async def port_open(self, port: int) -> bool:
        return port in self.open_ports

    async def clean(self, name: str) -> None:
        self.cleaned.append(name)

    def _answer(self, script: str) -> Answer:
        answer = self.answers.get(script, Answer())
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer
