"""What one style sheet or script says about files of the tree."""

from dataclasses import dataclass

from worker.assets.problem import Problem
from worker.assets.readers import css, javascript
from worker.assets.readers.reference import Form, Found, Reference
from worker.assets.url import Target, target_of

_STYLES, _SCRIPTS = (".css",), (".js", ".mjs")
#: Characters of a reference that a message shows.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Link:
    """A reference that may lead to a file of the tree; places count characters of the text."""

    start: int
    end: int
    form: Form
    target: Target
    line: int
    #: As it stands in the file.
    written: str
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Scan:
    links: tuple[Link, ...] = ()
    problems: tuple[Problem, ...] = ()


NO_LINKS = Scan()


def is_text(path: str) -> bool:
    """Whether its references are followed."""
    return path.lower().endswith((*_STYLES, *_SCRIPTS))


def is_dull(path: str, *, modules: bool) -> bool:
    """Whether the text of a script is looked through for one comment only, which is quick."""
    return not modules and path.lower().endswith(_SCRIPTS)


def scan(path: str, content: bytes, *, modules: bool, base_url: str) -> Scan:
    """Links in order. What is no UTF-8 has none."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return Scan(problems=(_not_utf8(path, content, error),))
    is_style = path.lower().endswith(_STYLES)
    found = css.find(text) if is_style else javascript.find(text, modules=modules)
    if not found.references and not found.unknowable:
        return NO_LINKS
    return _Lines(path, text).read(found, base_url)


class _Lines:
    """Knows the line of each place, as long as the places come in order."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text
        self._place, self._line = 0, 1

    def read(self, found: Found, base_url: str) -> Scan:
        links = tuple(
            self._link(reference, target)
            for reference in found.references
            if (target := target_of(reference.url, source=self._path, base_url=base_url))
        )
        self._place, self._line = 0, 1
        return Scan(
            links, tuple(self._unknowable(item.start, item.end) for item in found.unknowable)
        )

    def _link(self, reference: Reference, target: Target) -> Link:
        return Link(
            reference.start,
            reference.end,
            reference.form,
            target,
            self._line_of(reference.start),
            self._shown(reference.start, reference.end),
            reference.is_optional,
        )

    def _unknowable(self, start: int, end: int) -> Problem:
        line, written = self._line_of(start), self._shown(start, end)
        message = (
            f"{self._path}, line {line}: {written} is known only when the program runs, "
            f"and stays as it is"
        )
        return Problem("unknowable-import", message, self._path, line, written)

    def _line_of(self, place: int) -> int:
        self._line += self._text.count("\n", self._place, place)
        self._place = place
        return self._line

    def _shown(self, start: int, end: int) -> str:
        return self._text[start : min(end, start + _SHOWN)].strip()


def _not_utf8(path: str, content: bytes, error: UnicodeDecodeError) -> Problem:
    line = content.count(b"\n", 0, error.start) + 1
    message = (
        f"{path}, line {line}: not utf-8 (byte 0x{content[error.start]:02x}), so its references "
        f"cannot be followed"
    )
    return Problem("not-utf-8", message, path, line)
