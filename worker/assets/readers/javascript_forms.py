"""The forms in which JavaScript names another file; each reads one place that is code."""

import re
from collections.abc import Iterator
from functools import cache

from worker.assets.readers.javascript_string import url_of
from worker.assets.readers.javascript_tokens import (
    BLOCK_COMMENT,
    GAP,
    LINE_COMMENT,
    PLAIN_TEMPLATE,
    QUOTED,
    SIMPLE_TEMPLATE,
)
from worker.assets.readers.reference import Form, Reference, Unknowable

Item = Reference | Unknowable

_NAME = r"[^\s\ufeff'\"`/(){}\[\]*,;:.<>=+\-!?&|^%~@#]++"
_COMMENT = rf"{LINE_COMMENT}|{BLOCK_COMMENT}"
_NAMED = rf"\{{(?:[^{{}}()'\"`/;=]++|{QUOTED}|{_COMMENT}|)*+\}}"
_ALL = rf"\*{GAP}as{GAP}(?:{_NAME}|{QUOTED})"
_BINDINGS = rf"(?:{_NAME}(?:{GAP},{GAP}(?:{_NAMED}|{_ALL}))?|{_NAMED}|{_ALL})"
_FROM = rf"{GAP}(?P<from>from){GAP}(?P<string>{QUOTED})"
_IMPORT = rf"import{GAP}(?:(?P<side_effect>{QUOTED})|(?:(?:defer|source){GAP})?{_BINDINGS}{_FROM})"
_EXPORT = rf"export{GAP}(?:{_ALL}|\*|{_NAMED}){_FROM}"

_PLAIN = rf"{QUOTED}|{PLAIN_TEMPLATE}"
_HIDING = rf"{QUOTED}|{SIMPLE_TEMPLATE}|{_COMMENT}|/(?![/*])"
_NEST = rf"[(\[{{](?:[^()\[\]{{}}'\"`/]++|{_HIDING}|)*+[)\]}}]"
for _ in range(2):
    _NEST = rf"[(\[{{](?:[^()\[\]{{}}'\"`/]++|{_HIDING}|{_NEST}|)*+[)\]}}]"
_ARGUMENT = rf"(?:[^()\[\]{{}}'\"`/,]++|{_HIDING}|{_NEST}|)*+"
_META_URL = rf"import{GAP}\.{GAP}meta{GAP}\.{GAP}url(?![\w$])"

_CALL = rf"import{GAP}(?:\.{GAP}(?:source|defer|meta{GAP}\.{GAP}resolve){GAP})?\("
_ONLY_STRING = rf"{GAP}(?P<string>{_PLAIN}){GAP}(?=[,)])"
_ARGUMENTS = rf"{GAP}(?P<first>{_ARGUMENT})(?:,{_ARGUMENT}|)*+,?+\)(?P<body>{GAP}\{{)?"
_NEW_URL = rf"new{GAP}URL(?![\w$])"
_URL = (
    rf"new{GAP}URL{GAP}\((?:{GAP}(?P<string>{_PLAIN}){GAP}|{_ARGUMENT})"
    rf",{GAP}{_META_URL}{GAP}(?:,{GAP})?\)"
)
_WORKER = rf"new{GAP}(?:Shared)?Worker{GAP}\({GAP}(?P<string>{_PLAIN}){GAP}[,)]"
_SCRIPTS = rf"(?:\w+\.)?importScripts{GAP}\("
_RELATIVE = ("./", "../", "/")

#: When one is first needed: all of them take a tenth of a small build.
_compiled = cache(re.compile)


def static_import(text: str, at: int) -> Iterator[Item]:
    found = _compiled(_IMPORT).match(text, at)
    if found and found["side_effect"]:
        start, end = found.span("side_effect")
        if text[at + len("import") : start].strip():
            yield from _module(text, start, end, start, Form.STRING)
        else:
            yield from _module(text, start, end, at, Form.JS_SIDE_EFFECT)
    elif found:
        yield from _from(text, found)


def export_from(text: str, at: int) -> Iterator[Item]:
    found = _compiled(_EXPORT).match(text, at)
    if found:
        yield from _from(text, found)


def _from(text: str, found: re.Match[str]) -> Iterator[Item]:
    """Django's form takes the blanks around `from`; a comment there must stay what it is."""
    start, end = found.span("string")
    word = found.start("from")
    before = text[found.start() : word].rstrip()
    line = before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]
    if "//" in line or text[found.end("from") : start].strip():
        yield from _module(text, start, end, start, Form.STRING)
    else:
        yield from _module(text, start, end, found.start() + len(before), Form.JS_FROM)


def _module(text: str, start: int, end: int, replaced_from: int, form: Form) -> Iterator[Item]:
    url = url_of(text[start:end])
    if url.startswith(_RELATIVE):
        yield from _file(url, replaced_from, end, form)


def _file(url: str, start: int, end: int, form: Form = Form.STRING) -> Iterator[Item]:
    """Not a folder: `new URL(".", import.meta.url)` names no file."""
    path = re.split("[?#]", url, maxsplit=1)[0]
    if path.rpartition("/")[2] not in {"", ".", ".."}:
        yield Reference(start, end, url, form)


def dynamic_import(text: str, at: int) -> Iterator[Item]:
    call = _compiled(_CALL).match(text, at)
    if call is None:
        return
    string = _compiled(_ONLY_STRING).match(text, call.end())
    if string:
        start, end = string.span("string")
        yield from _module(text, start, end, start, Form.STRING)
    else:
        yield from _computed(text, at, call.end())


def _computed(text: str, at: int, opened: int) -> Iterator[Item]:
    """A call whose argument is no string; a method of this name has a body behind it."""
    arguments = _compiled(_ARGUMENTS).match(text, opened)
    if arguments is None:
        yield Unknowable(at, opened)
    elif (
        arguments["first"]
        and not arguments["body"]
        and not _compiled(_NEW_URL).match(arguments["first"])
    ):
        yield Unknowable(at, arguments.end())


def new_url(text: str, at: int) -> Iterator[Item]:
    found = _compiled(_URL).match(text, at)
    if found and found["string"]:
        yield from _file(url_of(found["string"]), *found.span("string"))
    elif found:
        yield Unknowable(at, found.end())


def new_worker(text: str, at: int) -> Iterator[Item]:
    """A relative URL is relative to the page, which is not known here."""
    found = _compiled(_WORKER).match(text, at)
    if found and url_of(found["string"]).startswith("/"):
        yield from _file(url_of(found["string"]), *found.span("string"))


def import_scripts(text: str, at: int) -> Iterator[Item]:
    call = _compiled(_SCRIPTS).match(text, at)
    if call is None:
        return
    end = call.end()
    while string := _compiled(_ONLY_STRING).match(text, end):
        yield from _file(url_of(string["string"]), *string.span("string"))
        end = string.end() + 1  # behind the comma
    if text[end - 1] != ")":
        yield from _computed(text, at if end == call.end() else end, end)
