"""The provider that runs the operator's own program, once for each action, with JSON."""

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self, TypeVar

from app.domain.redaction import Redactor
from worker.providers.answers import WrongAnswer, read_gone, read_listed, read_made
from worker.providers.program import Ended, Program
from worker.providers.provider import (
    Gone,
    Listed,
    MachineFailed,
    Made,
    ProviderFailed,
    Show,
    Unconfirmed,
    Wish,
)

#: Of the contract; it is in each request.
VERSION = 1
#: The exit code of `destroy` for a tag that has no machine.
NO_SUCH_MACHINE = 3
#: All that a program sees without being asked for.
_PASSED = ("PATH", "HOME", "LANG")
#: Its variables hold keys and passwords of Liftlock itself.
_OWN = "LIFTLOCK_"

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Longest:
    """Seconds that each action may take."""

    create: float = 3600.0
    destroy: float = 600.0
    list: float = 60.0


def environment(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """What a program sees: three variables, and those named. Raises ProviderFailed."""
    for name in names:
        if name.startswith(_OWN):
            raise ProviderFailed(
                f"The variable {name} is Liftlock's own, and is given to no program.",
                hint="Give the program its secret under a name of its own.",
            )
        if name not in environ:
            raise ProviderFailed(
                f"The variable {name}, which the program is to be given, is not set.",
                hint=f"Set it: export {name}=...",
            )
    passed = {name: environ[name] for name in _PASSED if name in environ}
    return {"PATH": os.defpath, **passed, **{name: environ[name] for name in names}}


@dataclass(frozen=True)
class ExecProvider:
    """`Program.words` name the program and its fixed arguments."""

    program: Program
    longest: Longest = field(default_factory=Longest)

    @classmethod
    def of(
        cls,
        words: Sequence[str],
        *,
        variables: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
        longest: Longest | None = None,
    ) -> Self:
        """`variables` of `environ` are passed on, and masked in what the program says.

        Raises ProviderFailed.
        """
        env = environment(variables, environ)
        redactor = Redactor(env[name] for name in variables)
        return cls(Program(tuple(words), env, redactor), longest or Longest())

    async def create(self, tag: str, wish: Wish, show: Show) -> Made:
        """Never asks for a second machine of a tag: what is listed is taken, or removed first."""
        for listed in await self._of(tag, show):
            if listed.made is not None:
                return listed.made
            gone = await self.destroy(tag, show)
            if isinstance(gone, Unconfirmed):
                raise self._failed(f"The machine {tag} is half made, and stays: {gone.why}")
            break
        ended = await self._run("create", self.longest.create, show, tag=tag, **asdict(wish))
        if ended.exit_code == 0:
            return self._read(lambda answer: read_made(answer, tag), ended, "create", tag)
        raise await self._not_made(self._sentence(ended, "create", tag), ended, tag, show)

    async def destroy(self, tag: str, show: Show) -> Gone | Unconfirmed:
        ended = await self._run("destroy", self.longest.destroy, show, tag=tag)
        if ended.exit_code == NO_SUCH_MACHINE:
            return Gone()
        if ended.exit_code != 0:
            return Unconfirmed(self._sentence(ended, "destroy", tag))
        try:
            self._read(read_gone, ended, "destroy", tag)
        except ProviderFailed as error:
            return Unconfirmed(error.detail)
        return Gone()

    async def list(self, show: Show) -> tuple[Listed, ...]:
        ended = await self._run("list", self.longest.list, show)
        if ended.exit_code != 0:
            raise self._failed(self._sentence(ended, "list"))
        return self._read(read_listed, ended, "list")

    async def _not_made(
        self, detail: str, ended: Ended, tag: str, show: Show
    ) -> ProviderFailed | MachineFailed:
        """A program that ended by itself, and lists nothing, has certainly made nothing."""
        if ended.exit_code is None:
            return self._failed(detail)
        try:
            is_left = bool(await self._of(tag, show))
        except ProviderFailed as error:
            return self._failed(f"{detail} Then: {error.detail}")
        if is_left:
            return self._failed(f"{detail} It lists a machine of that tag.")
        return MachineFailed(f"{detail} It lists no machine of that tag.", hint=self._hint)

    async def _of(self, tag: str, show: Show) -> tuple[Listed, ...]:
        """The machine of the tag, if any; raises ProviderFailed for two."""
        found = tuple(item for item in await self.list(show) if item.tag == tag)
        if len(found) > 1:
            ids = ", ".join(item.machine_id for item in found)
            raise self._failed(f"{self._name} lists {len(found)} machines of the tag {tag}: {ids}.")
        return found

    async def _run(self, action: str, longest: float, show: Show, **fields: Any) -> Ended:
        request = json.dumps({"version": VERSION, "action": action, **fields}).encode()
        return await self.program.run(request, longest=longest, show=show)

    def _read(
        self, read: Callable[[bytes], _Read], ended: Ended, action: str, tag: str = ""
    ) -> _Read:
        try:
            return read(ended.answer)
        except WrongAnswer as error:
            said = error.told(self.program.redactor.clean)
            raise self._failed(f"{self._asked(action, tag)} {said}.") from None

    def _sentence(self, ended: Ended, action: str, tag: str = "") -> str:
        said = f" Its last words: {ended.said}" if ended.said else ""
        return f"{self._asked(action, tag)} {ended.how}.{said}"

    def _asked(self, action: str, tag: str) -> str:
        return f"{self._name}, asked to {action}{f' {tag}' if tag else ' machines'},"

    def _failed(self, detail: str) -> ProviderFailed:
        return ProviderFailed(detail, hint=self._hint)

    @property
    def _name(self) -> str:
        return f"The program {self.program.words[0]}"

    @property
    def _hint(self) -> str:
        name = shlex.quote(self.program.words[0])
        return f"Try it: python -m worker.providers check --program {name}"
