"""Where a JavaScript text might name another file: quick to say no, never wrong in saying it.

Most texts have no such place at all, and the others need no lexing behind the last one.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache

from worker.assets.readers import javascript_forms as forms

Reader = Callable[[str, int], Iterator[forms.Item]]

_BLANKS = r"[\s\ufeff]*+"
_COMMENT = r"/(?=[*/])"
_BARE = r"\"[\w@#][^\"\\\n]*+\"|'[\w@#][^'\\\n]*+'"
_DYNAMIC = re.compile(
    rf"import{_BLANKS}(?:{_COMMENT}|\.{_BLANKS}(?:{_COMMENT}|source|defer"
    rf"|meta{_BLANKS}(?:{_COMMENT}|\.{_BLANKS}(?:{_COMMENT}|resolve)))"
    rf"|\((?!{_BLANKS}(?:{_BARE}){_BLANKS}[,)]))"
)
_STATIC = re.compile(
    rf"import{_BLANKS}(?:{_COMMENT}|[{{*]|[\"'][\s./\\]"
    rf"|(?<=[\s\ufeff])(?:defer|source)(?![\w$])"
    rf"|(?<=[\s\ufeff])[^\s\ufeff'\"`/(){{}}\[\]*,;:.<>=+\-!?&|^%~@#]++{_BLANKS}"
    rf"(?:,|{_COMMENT}|from(?![\w$])))"
)
_EXPORT = re.compile(
    rf"export{_BLANKS}(?:\*{_BLANKS}(?:{_COMMENT}|as(?![\w$])|from(?![\w$]))|{_COMMENT}"
    rf"|\{{[\w\s$,]*+(?:[^\w\s$,}}]|\}}{_BLANKS}(?:{_COMMENT}|from(?![\w$]))))"
)
_NEW_URL = re.compile(rf"new{_BLANKS}(?:{_COMMENT}|URL(?![\w$]))")
_NEW_WORKER = re.compile(
    rf"new{_BLANKS}(?:{_COMMENT}|(?:Shared)?Worker{_BLANKS}"
    rf"(?:{_COMMENT}|\({_BLANKS}(?:{_COMMENT}|[\"'`]\s*+[/\\])))"
)
_SCRIPTS = re.compile(rf"importScripts{_BLANKS}(?:\(|{_COMMENT})")

_GLOBAL = ("self.", "globalThis.")
#: The word it begins with, its pattern, how to read the place, words without which there is none.
_FORMS: tuple[tuple[str, re.Pattern[str], Reader, tuple[str, ...]], ...] = (
    ("import", _DYNAMIC, forms.dynamic_import, ()),
    ("import", _STATIC, forms.static_import, ()),
    ("export", _EXPORT, forms.export_from, ("from",)),
    ("new", _NEW_URL, forms.new_url, ("import", "meta", "URL")),
    ("new", _NEW_WORKER, forms.new_worker, ("Worker",)),
    ("importScripts", _SCRIPTS, forms.import_scripts, ()),
)


def candidates(text: str) -> list[tuple[int, Reader]]:
    """Ascending places that need a look, each with how to read it."""
    has = cache(text.__contains__)
    places = [
        (start, reader)
        for word, pattern, reader, words in _FORMS
        if all(map(has, words))
        for place in _places(text, word)
        if pattern.match(text, place) and (start := _start(text, place)) is not None
    ]
    return sorted(places, key=lambda place: place[0])


def _places(text: str, word: str) -> Iterator[int]:
    """Several times faster than a search with the pattern."""
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def _start(text: str, start: int) -> int | None:
    """None for the end of a longer name and for a member, but of the global object."""
    before = text[max(0, start - len("globalThis.")) : start]
    if before.endswith("."):
        name = next((name for name in _GLOBAL if before.endswith(name)), None)
        if name and text.startswith("importScripts", start):
            return _start(text, start - len(name))
        return start if before.endswith("...") else None
    longer = before and (before[-1].isalnum() or before[-1] in "_$#\\@")
    return None if longer else start
