"""Style sheets put together, so that what each one says is still valid in the whole."""

import re
from collections.abc import Iterator, Sequence

from worker.assets.bundles import rebasing
from worker.assets.bundles.combining import Combined, Piece
from worker.assets.problem import AssetError, Problem
from worker.assets.readers import css
from worker.assets.readers import css_tokens as tokens
from worker.assets.readers.reference import Form

_COMMENT, _STRING = tokens.COMMENT.pattern, tokens.STRING.pattern
_URL = r"""(?<![\w-])url\(\s*+(?!["'])(?:\\.|[^)\\]|)*+\)?"""
#: Names whole, so that no part of one looks like `url(`.
_HIDING = rf"{_COMMENT}|{_STRING}|{_URL}|[@#]?{tokens.NAME.pattern}"
_FLAGS = re.DOTALL | re.IGNORECASE
_TOKEN = re.compile(rf"{_HIDING}|[][(){{}}]", _FLAGS)
#: The forms with `//` are no comments of CSS, and still some tools write them.
_MAPS = re.compile(rf"{_HIDING}|//[#@]\s*+source(?:Mapping)?URL=[^\n]*+", _FLAGS)
_WHOLE = re.compile(r"""/\*.*\*/|(["'])(?:\\.|(?!\1)[^\\])*\1|url\((?:\\.|[^)\\])*\)""", _FLAGS)
_CLOSED_BY = {"{": "}", "(": ")", "[": "]"}
#: What may stand before an `@import`. A block (`@layer x { ... }`) may not.
_STATEMENT = re.compile(
    rf"(?:\s|{_COMMENT}|<!--|-->|)*+@(charset|import|layer)(?![\w-])"
    rf"(?:{_COMMENT}|{_STRING}|{_URL}|\\.|[^;{{}}\"'\\]|)*+(?:;|\Z)",
    _FLAGS,
)
_CHARSET = re.compile(r"""\s*@charset\s+["'][^"']*["']\s*;""", re.IGNORECASE)


def combined(parts: Sequence[Piece], output: str) -> Combined:
    """Rules in the order of the parts, below every `@import` of any part.

    CSS ignores an `@import` behind a rule. Those of later parts move up, in order, and with them
    the `@layer` statements before them. Raises AssetError (import-too-late) where that is not
    possible.
    """
    heads: list[Piece] = []
    bodies: list[Piece] = []
    has_charset = False
    for part in parts:
        text = _closed(_rebased(part, output))
        charset = _CHARSET.match(text)
        has_charset = has_charset or charset is not None
        # Blank lines in its place: line numbers stay right.
        text = "\n" * charset.group().count("\n") + text[charset.end() :] if charset else text
        end = _head(text)
        if end:
            heads.append(Piece(part.path, _ended(text[:end]), part.line))
        bodies.append(Piece(part.path, f"{text[end:]}\n", part.line + text.count("\n", 0, end)))
    _refuse_mixed_layers(heads)
    first = [Piece(parts[0].path, '@charset "utf-8";\n')] if has_charset else []
    return Combined.of([*first, *heads, *bodies])


def _rebased(part: Piece, output: str) -> str:
    edits = [
        (found.start, found.end, found.form.value.format(new))
        for found in css.find(part.text).references
        if found.form is not Form.CSS_MAP
        and (new := rebasing.rebased(found.url, part.path, output)) is not None
    ]
    return rebasing.edited(part.text, [*edits, *_comments(part, output)])


def _comments(part: Piece, output: str) -> Iterator[tuple[int, int, str]]:
    for token in _MAPS.finditer(part.text):
        if token.group().startswith(("/*", "//")):
            yield *token.span(), rebasing.comment(token.group(), part.path, output)


def _closed(text: str) -> str:
    """What is open at the end is closed there, as a browser does; else it would take the next."""
    if (len(text) - len(text.rstrip("\\"))) % 2:
        text = text[:-1]  # it escapes nothing here, and would escape what follows
    closers: list[str] = []
    last = ""
    for token in _TOKEN.finditer(text):
        last = token.group()
        if last in _CLOSED_BY:
            closers.append(_CLOSED_BY[last])
        elif closers and last == closers[-1]:
            closers.pop()
    if last and text.endswith(last):
        closers.append(_end_of(last))
    return text + "".join(reversed(closers))


def _end_of(token: str) -> str:
    """What an unfinished comment, string or url() at the end of a file lacks."""
    for begin, end in (("/*", "*/"), ('"', '"'), ("'", "'"), ("url(", ")")):
        if token.lower().startswith(begin):
            return "" if _WHOLE.fullmatch(token) else end
    return ""


def _head(text: str) -> int:
    """Where the last `@import` that counts ends; 0 when there is none."""
    end = place = 0
    while found := _STATEMENT.match(text, place):
        place = found.end()
        if found[1].lower() == "import":
            end = place
    return end


def _ended(head: str) -> str:
    return f"{head}\n" if head.endswith(";") else f"{head};\n"


def _refuse_mixed_layers(heads: Sequence[Piece]) -> None:
    """Behind an `@import`, an `@layer` ends the part of a style sheet where imports count."""
    imports = layered = False
    for head in heads:
        place = 0
        while found := _STATEMENT.match(head.text, place):
            place = found.end()
            if found[1].lower() == "layer":
                layered = layered or imports
            elif layered:
                raise AssetError([_too_late(head, place)])
            else:
                imports = True


def _too_late(head: Piece, end: int) -> Problem:
    line = head.line + head.text.count("\n", 0, end)
    message = (
        f"{head.path}, line {line}: this @import would come behind an @layer statement and other"
        " imports, where CSS ignores it. Put the @layer statements of all sources into the first"
        " one."
    )
    return Problem("import-too-late", message, head.path, line)
