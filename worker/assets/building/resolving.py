"""Which references lead to files of the tree, and what is to be said of the others."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from worker.assets.building.intake import Taken
from worker.assets.building.scanning import Link
from worker.assets.problem import Problem
from worker.assets.url import nearest

_GUESSES = 200
#: These are told, and never stop a build.
_HARMLESS = frozenset({"missing-map", "unknowable-import", "duplicate", "reserved-name"})
#: These stop a strict build only; a lenient one leaves what they are about as it is.
LENIENT = frozenset({"missing-reference", "above-root", "not-utf-8"})


def is_fatal(problem: Problem, *, lenient: bool) -> bool:
    """Whether there is no build with this."""
    return problem.code not in (_HARMLESS | LENIENT if lenient else _HARMLESS)


def dependencies(taken: Iterable[Taken], known: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The files that each file with links refers to."""
    return {
        item.path: tuple(
            sorted({link.target.path for link in item.scan.links if link.target.path in known})
        )
        for item in taken
        if item.scan.links
    }


def broken(taken: Iterable[Taken], known: Mapping[str, object]) -> Iterator[Problem]:
    """All links that lead nowhere."""
    guesses = _Guesses(known)
    for item in taken:
        for link in item.scan.links:
            if link.target.is_outside:
                yield _above_root(item.path, link)
            elif link.target.path not in known:
                near = guesses.of(link.target.path)
                yield _missing(item.path, link, tuple(it for it in near if it != item.path))


def lacking(required: Iterable[str], known: Mapping[str, object]) -> Iterator[Problem]:
    """The files that somebody asks for by name and that are not there."""
    guesses = _Guesses(known)
    for path in required:
        if path not in known:
            near = guesses.of(path)
            message = f"{path}: is required and not there{_advice(near)}"
            yield Problem("required-missing", message, path, nearest=near)


class _Guesses:
    """The nearest names, looked up once for each missing file, and for so many that a person reads.

    It takes milliseconds each, and a lenient build may miss thousands.
    """

    def __init__(self, known: Mapping[str, object]) -> None:
        self._known = known
        self._found: dict[str, tuple[str, ...]] = {}

    def of(self, path: str) -> tuple[str, ...]:
        if path not in self._found and len(self._found) < _GUESSES:
            self._found[path] = nearest(path, self._known)
        return self._found.get(path, ())


def _missing(path: str, link: Link, near: tuple[str, ...]) -> Problem:
    code = "missing-map" if link.is_optional else "missing-reference"
    message = (
        f"{path}, line {link.line}: {link.written} refers to {link.target.path}, "
        f"which is not there{_advice(near)}"
    )
    return Problem(code, message, path, link.line, link.written, near)


def _advice(near: tuple[str, ...]) -> str:
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _above_root(path: str, link: Link) -> Problem:
    message = (
        f"{path}, line {link.line}: {link.written} leads to {link.target.path}, "
        f"above the root of the static files"
    )
    return Problem("above-root", message, path, link.line, link.written)
