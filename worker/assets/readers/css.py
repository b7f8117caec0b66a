"""Style sheets: where they refer to other files. A tokeniser, so that text which only looks like a
reference (in a comment, a string or a selector) is none.
"""

import re

from worker.assets.readers import css_tokens as tokens
from worker.assets.readers.reference import Form, Found, Reference

_NAME_CHARACTERS = frozenset("-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\0")
_ASCII = "\x7f"
#: A token of its own; the name that follows does without its dashes.
_OPENED = "<!--"
#: Their URLs name no file: a vocabulary, and the pages that rules are for.
_WITHOUT_FILES = {"namespace", "document", "-moz-document"}
_IMAGE_SETS = {"image-set", "-webkit-image-set"}
_BLANKS = " \t\n\r\f"


def find(text: str) -> Found:
    """Every `url()`, `src()`, `@import`, string of an `image-set()` and source map comment.

    >>> [reference.url for reference in find("a{b:url( 'x.png' )} /* url(y.png) */").references]
    ['x.png']
    """
    return Found(tuple(_Reader(text).read()))


class _Reader:
    """Leaps from one place at which a reference may begin to the next."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        #: How many brackets are open, counted inside an image-set() only.
        self._depth = 0
        self._references: list[Reference] = []

    def read(self) -> list[Reference]:
        while True:
            floor = self._at
            self._pass(tokens.DULL_IN_SET if self._depth else tokens.DULL)
            match self._text[self._at : self._at + 1]:
                case "":
                    return self._references
                case "(":
                    self._read_function(self._name_start(floor))
                case "\\":
                    start = self._name_start(floor)
                    self._pass(tokens.NAME)
                    self._read_function(start)
                case "@":
                    self._read_at_rule()
                case "/":
                    self._read_source_map()
                case character:
                    self._read_in_set(character)

    def _pass(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self._text, self._at):
            self._at = match.end()

    def _add(self, start: int, url: str, form: Form) -> None:
        if url := url.strip(_BLANKS):
            self._references.append(Reference(start, self._at, url, form))

    def _open_bracket(self) -> None:
        if self._depth:
            self._depth += 1

    def _name_start(self, floor: int) -> int:
        text, start = self._text, self._at
        while start > floor and (text[start - 1] in _NAME_CHARACTERS or text[start - 1] > _ASCII):
            start -= 1
        return start + 2 if self._is_opened(start) else start

    def _is_opened(self, dashes: int) -> bool:
        angle = dashes - 2
        if angle < 0 or not self._text.startswith(_OPENED, angle):
            return False
        escape = angle
        while escape and self._text[escape - 1] == "\\":
            escape -= 1
        return (angle - escape) % 2 == 0

    def _read_function(self, start: int) -> None:
        name = tokens.unescaped(self._text[start : self._at]).lower()
        is_function = self._text[start - 1 : start] not in {"#", "@"}
        self._at += 1
        if name == "url" and is_function:
            self._read_url(start)
        elif name == "src" and is_function:
            self._read_quoted(start, Form.CSS_SRC)
        elif name in _IMAGE_SETS and is_function and not self._depth:
            self._depth = 1
        else:
            self._open_bracket()

    def _read_url(self, start: int) -> None:
        if tokens.QUOTED.match(self._text, self._at):
            self._read_quoted(start, Form.CSS_URL)
        elif match := tokens.BARE_URL.match(self._text, self._at):
            self._at = match.end()
            self._add(start, tokens.unescaped(match["url"]), Form.CSS_URL)
        else:
            self._pass(tokens.BAD_URL)

    def _read_quoted(self, start: int, form: Form) -> None:
        if not (string := tokens.NEXT_STRING.match(self._text, self._at)):
            self._open_bracket()
            return
        self._at = string.end()
        closing = tokens.CLOSING.match(self._text, self._at)
        if closing and not string["gap"].strip(_BLANKS):
            self._at = closing.end()
            self._add(start, _inside(string), form)
        else:
            # Comments and modifiers beside the string stay.
            self._add(string.end("gap"), _inside(string), Form.STRING)
            self._open_bracket()

    def _read_at_rule(self) -> None:
        start = self._at
        self._at += 1
        self._pass(tokens.NAME)
        name = tokens.unescaped(self._text[start + 1 : self._at]).lower()
        if name in _WITHOUT_FILES:
            self._pass(tokens.PRELUDE)
        elif name == "import" and (string := tokens.NEXT_STRING.match(self._text, self._at)):
            self._at = string.end()
            if string["gap"].strip(_BLANKS):
                self._add(string.end("gap"), _inside(string), Form.STRING)
            else:
                self._add(start, _inside(string), Form.CSS_IMPORT)

    def _read_source_map(self) -> None:
        start = self._at
        self._pass(tokens.COMMENT)
        if match := tokens.SOURCE_MAP.match(self._text, start):
            self._add(start, match["url"], Form.CSS_MAP)

    def _read_in_set(self, character: str) -> None:
        start = self._at
        if character in "\"'":
            string = tokens.NEXT_STRING.match(self._text, self._at)
            self._pass(tokens.STRING)
            if string and self._depth == 1:
                self._add(start, _inside(string), Form.STRING)
        else:
            self._at += 1
            # Whatever else ends a declaration ends a set that was not closed.
            self._depth = self._depth - 1 if character == ")" else 0


def _inside(string: re.Match[str]) -> str:
    return tokens.unescaped(string["single"] if string["double"] is None else string["double"])
