"""Style sheets as tokens, as far as a minifier must tell them apart."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from worker.assets.readers import css_tokens as tokens


class Kind(StrEnum):
    SPACE = "space"
    LICENCE = "licence"
    COMMENT = "comment"
    STRING = "string"
    #: Numbers too, and words with `@` or `#` in front.
    NAME = "name"
    MARK = "mark"


class Token(NamedTuple):
    kind: Kind
    text: str


_TOKEN = re.compile(
    rf"(?P<space>[ \t\n\r\f]++)|(?P<licence>(?=/\*!){tokens.COMMENT.pattern})"
    rf"|(?P<comment>{tokens.COMMENT.pattern})|(?P<string>{tokens.STRING.pattern})"
    rf"|(?P<name>[@#]?+{tokens.NAME.pattern})|(?P<mark>[\s\S])",
    re.ASCII,
)


_CLOSED_BY = {"{": "}", "(": ")", "[": "]"}


def read(text: str) -> Iterator[Token]:
    """Every character, as tokens of CSS; those without blanks in them may be in parts."""
    at = 0
    while found := _TOKEN.match(text, at):
        kind, end = Kind(str(found.lastgroup)), found.end()
        if kind is Kind.NAME and text.startswith("(", end):
            end = _end_of_url(text, at, end)
        elif kind is Kind.STRING and not tokens.NEXT_STRING.match(text, at):
            end += 1  # the newline that breaks a string off: without it the string would go on
        yield Token(kind, text[at:end])
        at = end


def _end_of_url(text: str, start: int, end: int) -> int:
    """Behind a `url(...)` without quotes, which is one token; else where the name ends."""
    inside = end + 1
    if tokens.unescaped(text[start:end]).lower() != "url" or tokens.QUOTED.match(text, inside):
        return end
    found = tokens.BARE_URL.match(text, inside) or tokens.BAD_URL.match(text, inside)
    return found.end() if found else end


def follow(brackets: list[str], token: Token) -> None:
    """Keeps the list of what closes the brackets that are open."""
    if token.kind is not Kind.MARK:
        return
    if token.text in _CLOSED_BY:
        brackets.append(_CLOSED_BY[token.text])
    elif brackets and token.text == brackets[-1]:
        brackets.pop()
