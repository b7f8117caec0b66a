"""Tells which places of a JavaScript text are code, and not inside something that hides it."""

from functools import cache
from re import Pattern

from worker.assets.readers.javascript_context import Context
from worker.assets.readers.javascript_tokens import HIDDEN, REGEX, TEMPLATE_REST, leap

_leap = cache(leap)


class Lexer:
    """Goes forward once, no further than it is asked.

    Behind a place that is no JavaScript (an open string, JSX) nothing is code any more.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        #: For each open substitution of a template, how many braces are open in it.
        self._braces: list[int] = []
        self._context = Context(text)
        html = "<!--" in text or "-->" in text
        self._outside: Pattern[str] = _leap(braces=False, html=html)
        self._inside: Pattern[str] = _leap(braces=True, html=html)
        if text.startswith("#!"):
            self._at = (text.find("\n") + 1) or len(text)
            self._context.begin(self._at, value=False)

    def is_code(self, place: int) -> bool:
        """Ask in ascending order. A comment or string that begins at `place` is code there."""
        while self._at < place:
            pattern = self._inside if self._braces else self._outside
            self._at = _end(pattern, self._text, self._at, place)
            if self._at < place:
                self._take()
        return self._at == place

    def is_member(self, place: int) -> bool:
        """Whether the name at `place`, which is code, is a member: `a.name`."""
        return self._context.is_member(place)

    def _take(self) -> None:
        character = self._text[self._at]
        if character == "`":
            self._template(self._at)
        elif character in "{}":
            self._brace(character)
        elif character == "/" and self._text[self._at + 1 : self._at + 2] not in {"/", "*"}:
            self._slash()
        else:
            self._go_to(_end(HIDDEN, self._text, self._at))

    def _go_to(self, end: int) -> None:
        self._at = end if end > self._at else len(self._text) + 1

    def _template(self, end_of_code: int) -> None:
        """From a backtick, or the brace that closes a substitution."""
        rest = TEMPLATE_REST.match(self._text, self._at + 1)
        if rest is None:
            self._at = len(self._text) + 1
            return
        self._at = rest.end()
        opens = rest[1] == "${"
        # The brace belongs to the code: brackets are counted.
        self._context.end(end_of_code)
        self._context.begin(self._at - opens, value=not opens)
        if opens:
            self._braces.append(0)

    def _brace(self, character: str) -> None:
        if character == "{":
            self._braces[-1] += 1
        elif self._braces[-1]:
            self._braces[-1] -= 1
        else:
            self._braces.pop()
            self._template(self._at + 1)
            return
        self._at += 1

    def _slash(self) -> None:
        start = self._at
        self._context.end(start)
        is_regex = self._context.begins_regex(start)
        self._go_to(_end(REGEX, self._text, start) if is_regex else start + 1)
        self._context.begin(self._at, value=is_regex)


def _end(pattern: Pattern[str], text: str, start: int, limit: int | None = None) -> int:
    match = pattern.match(text, start, len(text) if limit is None else limit)
    return match.end() if match else start
