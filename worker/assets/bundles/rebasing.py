"""Relative references of a file, as another folder has to write them."""

import re
from collections.abc import Iterable
from posixpath import dirname, join, normpath, relpath

#: With a scheme, from the host's root, of the page itself, or nothing: these stay. `?` alone is
#: the file itself, whatever its name.
_KEPT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\#?]|\Z")
_SUFFIX = re.compile("[?#]")
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f]')
#: In each form the spaces around the URL are kept, and nothing else may stand in the comment.
_MAP = re.compile(
    r"(?P<before>(?://|/\*)[#@]\s*source(?:Mapping)?URL=\s*)(?P<url>[^\s*'\"]+)(?P<after>\s*(?:\*/)?)"
)


def rebased(url: str, source: str, output: str) -> str | None:
    """The same file, seen from `output` instead of `source`; None when the text can stay."""
    if _KEPT.match(url) or dirname(source) == dirname(output):
        return None
    path = _SUFFIX.split(url, maxsplit=1)[0]
    rest = url[len(path) :]
    # Folders around the root: a path that leads above it must still do so.
    root = "/" + "_/" * path.count("..")
    new = relpath(normpath(join(root, dirname(source), path)), join(root, dirname(output)))
    if ":" in new.partition("/")[0]:
        new = f"./{new}"
    if path.endswith("/"):
        new = f"{new}/"
    return _UNSAFE.sub(lambda found: f"%{ord(found.group()):02X}", new + rest)


def comment(text: str, source: str, output: str) -> str:
    """A comment with its `sourceMappingURL` or `sourceURL` rebased; others unchanged.

    Knows `//#`, `//@`, `/*#` and `/*@`. Names such as `webpack://app` have a scheme and stay.
    """
    found = _MAP.fullmatch(text)
    url = rebased(found["url"], source, output) if found else None
    return f"{found['before']}{url}{found['after']}" if found and url else text


def edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text with these pieces replaced; they do not overlap."""
    pieces: list[str] = []
    end = 0
    for start, after, new in sorted(edits):
        pieces += (text[end:start], new)
        end = after
    return "".join((*pieces, text[end:]))
