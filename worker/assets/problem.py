"""What is wrong with a file, for people and programs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    #: missing-reference, missing-map, unknowable-import, not-utf-8, duplicate, bundle-not-found,
    #: source-not-found, compiler-missing, compiler-failed, compiler-silent, minify-failed …
    code: str
    #: A sentence that names file, line, what was found and what was wanted.
    message: str
    #: The file's path below the root, and the line, from 1.
    file: str | None = None
    line: int | None = None
    #: The reference as it stands in the file.
    reference: str | None = None
    #: Existing files with the nearest names, best first.
    nearest: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}


def printable(text: str) -> str:
    """One line, without what a terminal would obey: texts of files are quoted in messages."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def sentence(message: str, nearest: Iterable[str]) -> str:
    """The message, and the nearest names that it does not tell itself."""
    names = ", ".join(name for name in nearest if name not in message)
    return f"{message}{f' Nearest: {names}.' if names else ''}"


class AssetError(Exception):
    """The work is refused and nothing was changed; `problems` say why, one for each cause."""

    def __init__(self, problems: Sequence[Problem], hint: str = "") -> None:
        super().__init__("\n".join(problem.message for problem in problems))
        self.problems, self.hint = tuple(problems), hint


def refuse(problems: Sequence[Problem], hint: str = "") -> None:
    """Raise AssetError when there are any."""
    if problems:
        raise AssetError(problems, hint)
