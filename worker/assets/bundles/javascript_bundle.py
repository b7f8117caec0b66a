"""Scripts put together, so that none of them changes how the next one is read."""

import re
from collections.abc import Sequence
from dataclasses import replace

from worker.assets.bundles import rebasing
from worker.assets.bundles.combining import Combined, Piece
from worker.assets.problem import AssetError, Problem
from worker.assets.readers.javascript_lexer import Lexer
from worker.assets.readers.javascript_tokens import GAP

#: The newline ends a `//` comment; without the `;` a `(` could call what the file before ends with.
_BETWEEN = "\n;"
_MAP = re.compile(r"(?://|/\*)[#@]\s*source(?:Mapping)?URL=[^\n\r]*?(?=\s*\*/|[\n\r]|\Z)")
#: Valid as the first line of a file alone; browsers skip it.
_HASHBANG = re.compile(r"\A#![^\n\r\u2028\u2029]*")
_WORD = re.compile(r"(?<![\w$.#\\])(?:import|export)(?![\w$])")
_CANDIDATE = re.compile(rf"{_MAP.pattern}|{_WORD.pattern}")
#: What follows the word in a module, and not when it is the name of a method.
_IN_MODULES = {
    "import": re.compile(rf"""{GAP}(?:["'{{*]|[\w$]|\.{GAP}meta\b)"""),
    "export": re.compile(rf"{GAP}(?:[{{*]|[\w$])"),
}
_DYNAMIC = re.compile(rf"""{GAP}\({GAP}(["'])(?P<url>\.\.?/[^"'\\\n\r]*)\1""")


def combined(parts: Sequence[Piece], output: str) -> Combined:
    """Raises AssetError (module-in-bundle): imports and exports have a meaning of their own."""
    plain = [replace(part, text=_HASHBANG.sub("", part.text)) for part in parts]
    rebased = [_rebased(part, output) for part in plain]
    problems = [found for found in rebased if isinstance(found, Problem)]
    if problems:
        raise AssetError(problems)
    texts = [text for text in rebased if isinstance(text, str)]
    betweens = [*[_BETWEEN] * (len(texts) - 1), ""]
    return Combined.of(
        Piece(part.path, text + between)
        for part, text, between in zip(parts, texts, betweens, strict=True)
    )


def _rebased(part: Piece, output: str) -> str | Problem:
    """The text with the files that it names as the output must name them."""
    lexer = Lexer(part.text)
    edits: list[tuple[int, int, str]] = []
    for found in _CANDIDATE.finditer(part.text):
        word = found.group()
        if not lexer.is_code(found.start()):
            continue
        if word.startswith("/"):
            edits.append((*found.span(), rebasing.comment(word, part.path, output)))
        elif lexer.is_member(found.start()):
            continue
        elif _IN_MODULES[word].match(part.text, found.end()):
            return _module(part, found.start(), word)
        elif word == "import" and (dynamic := _DYNAMIC.match(part.text, found.end())):
            url = rebasing.rebased(dynamic["url"], part.path, output)
            if url:
                edits.append((*dynamic.span("url"), url if url.startswith(".") else f"./{url}"))
    return rebasing.edited(part.text, edits)


def _module(part: Piece, place: int, word: str) -> Problem:
    line = part.text.count("\n", 0, place) + 1
    message = (
        f"{part.path}, line {line}: `{word}` makes this a module, and modules cannot be put"
        " together by listing them. Make the bundle with a compiler such as esbuild"
        " (`esbuild {in} --bundle --outfile={out}`), or leave the file out."
    )
    return Problem("module-in-bundle", message, part.path, line)
