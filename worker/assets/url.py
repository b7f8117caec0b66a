"""References as URLs: which file one means, and how it is written when that file has another name.

Django's way wherever that keeps the meaning: escapes with `%` are resolved, the shape of the path
stays, query and fragment stay as they are.
"""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from heapq import nlargest
from urllib.parse import quote, unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BLANKS_AROUND = "".join(map(chr, range(0x21)))
#: Browsers drop them anywhere in a URL.
_DROPPED = str.maketrans("", "", "\t\n\r")
_SUFFIX = re.compile("[?#]")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%")
#: Characters that mean something else, or end the reference, when they stand bare.
_NEVER_BARE = re.compile(r"""["\\\x00-\x1f\x7f-\x9f]|(?! )\s""")
_NEVER_BARE_IN_NAMES = re.compile(rf"[%#?:*/]|{_NEVER_BARE.pattern}")
_LAST_SEPARATOR = re.compile(r".*(?:/|%2F)", re.DOTALL | re.IGNORECASE)

#: How many names are told, how many are compared in full, and how alike they must be.
_TOLD, _COMPARED, _ALIKE = 3, 30, 0.6


@dataclass(frozen=True, slots=True)
class Target:
    """A file that is referred to, and the way the reference is written."""

    #: Logical and normal, as `img/a.png`; begins with `../` when it leads above the root.
    path: str
    #: What stands before the file's own name, kept: `../img/`, `/static/img/` or nothing.
    folder: str
    #: Query and fragment with their marks, as `?v=4#iefix` or `?#iefix`.
    suffix: str

    @property
    def is_outside(self) -> bool:
        """Whether it leads above the root of the static files."""
        return self.path.startswith("../")


def target_of(url: str, *, source: str, base_url: str) -> Target | None:
    """The file that `url` means in the file `source`; None for what is left alone.

    Left alone is whatever has a scheme or another host, is absolute outside `base_url`, has no
    path, or names a folder.

    >>> target_of("../img/a%20b.png?v=1", source="css/x.css", base_url="/static/")
    Target(path='img/a b.png', folder='../img/', suffix='?v=1')
    """
    url = url.strip(_BLANKS_AROUND).translate(_DROPPED)
    if _is_below(base_url, url):
        prefix, start = base_url, ""
    elif url.startswith("/") or _SCHEME.match(url):
        return None
    else:
        prefix, start = "", posixpath.dirname(source)
    written = _SUFFIX.split(url, maxsplit=1)[0]
    suffix, written = url[len(written) :], written.removeprefix(prefix)
    path = unquote(written)
    if posixpath.basename(path) in {"", ".", ".."}:
        return None
    path = posixpath.normpath(f"{start}/{path}".lstrip("/"))
    return Target(path, prefix + _decoded(_folder(written)), _safe(suffix))


def renamed(target: Target, hashed_basename: str) -> str:
    """The reference to the same file under another name in the same folder.

    Fit for every `Form`: it has no quote, backslash or control character.
    """
    name = _NEVER_BARE_IN_NAMES.sub(_encoded, hashed_basename)
    url = f"{target.folder}{name}{target.suffix}"
    kept = url.strip(" ")
    before = len(url) - len(url.lstrip(" "))
    return f"{'%20' * before}{kept}{'%20' * (len(url) - before - len(kept))}"


def hashed_path(path: str, digest: str) -> str:
    """With the digest before the last extension of the file's own name.

    >>> hashed_path("js/x.min.js", "0123456789ab")
    'js/x.min.0123456789ab.js'
    """
    root, extension = posixpath.splitext(path)
    return f"{root}.{digest}{extension}"


def nearest(path: str, known: Iterable[str]) -> tuple[str, ...]:
    """At most three of the known paths that may have been meant, best first.

    A file of the same name in another folder comes before one with a similar name.
    """
    name = posixpath.basename(path).casefold()
    pairs = {name[start : start + 2] for start in range(len(name) - 1)} or {name}

    def in_common(other: str) -> tuple[float, str]:
        base = other[other.rfind("/") + 1 :].casefold()
        return sum(map(base.__contains__, pairs)) / (len(pairs) + len(base)), other

    # Comparing letter by letter is slow: only those that share the most pairs of them are.
    found = [other for _, other in nlargest(_COMPARED, map(in_common, known))]
    alike = [(_likeness(path, other), other) for other in found]
    # Without the sign the last of equal names would come first.
    best = sorted((-by_name, -by_folder, other) for (by_name, by_folder), other in alike)
    return tuple(other for by_name, _, other in best[:_TOLD] if -by_name >= _ALIKE)


def _likeness(path: str, other: str) -> tuple[float, float]:
    """Of the files' own names, and of their folders where that matters; 1: the same."""
    folder, name = posixpath.split(path.casefold())
    other_folder, other_name = posixpath.split(other.casefold())
    by_name = SequenceMatcher(None, name, other_name, autojunk=False).ratio()
    if by_name < _ALIKE:
        return by_name, 0
    return by_name, SequenceMatcher(None, folder, other_folder, autojunk=False).ratio()


def _is_below(base_url: str, url: str) -> bool:
    # With `/` as base, `//host/x` still is another host.
    is_other_host = url.startswith("//") and not base_url.startswith("//")
    return url.startswith(base_url) and not is_other_host


def _folder(written: str) -> str:
    last = _LAST_SEPARATOR.match(written)
    return last.group() if last else ""


def _decoded(folder: str) -> str:
    """Without escapes, except those that keep a character from meaning something else."""
    return _safe(_ESCAPES.sub(_resolved, folder))


def _resolved(escapes: re.Match[str]) -> str:
    return _NEVER_BARE_IN_NAMES.sub(_encoded, unquote(escapes.group()))


def _safe(text: str) -> str:
    return _NEVER_BARE.sub(_encoded, text)


def _encoded(character: re.Match[str]) -> str:
    return quote(character.group(), safe="")
