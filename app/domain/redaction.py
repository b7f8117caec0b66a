"""Redaction: the one place through which text passes on its way to database, stream and log."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from app.domain.spellings import MIN_SECRET, encoded, variants

MASK = "[redacted]"

#: A line that may belong to a block of base64 or hex: one word, perhaps masked in part.
_WRAPPED_LINE = re.compile(r"^[ \t]*([A-Za-z0-9+/_\[\]-]{4,}+)={0,2}\r?$", re.MULTILINE)

Span = tuple[int, int]


def _alternation(texts: list[str]) -> str:
    """A pattern for any of the sorted texts, the longest first; common beginnings come once."""
    branches = []
    for first, group in groupby(texts, key=lambda text: text[:1]):
        members = list(group)
        if first:
            start = _common_start(members[0], members[-1])
            rest = _alternation([text[len(start) :] for text in members])
            branches.append(re.escape(start) + rest)
    if not branches:
        return ""
    return f"(?:{'|'.join(branches)})" + ("?" if texts[0] == "" else "")


def _common_start(one: str, other: str) -> str:
    unlike = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(unlike, min(len(one), len(other)))]


class Redactor:
    """Replaces every registered secret, in all its spellings, by a mask."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= MIN_SECRET}
        spellings = sorted({text for secret in known for text in variants(secret)})
        #: Characters to hold back at a cut, so that a secret across two chunks is still seen.
        self.overlap = max(map(len, spellings), default=1) - 1
        self._pattern = re.compile(_alternation(spellings)) if spellings else None
        self._encoded = sorted({pair for one in known for pair in encoded(one.encode())})
        #: Rules out nearly every line at once: it has the end of no encoding, and is in none.
        ends = {end for text, least in self._encoded for end in (text[:least], text[-least:])}
        self._ends = re.compile(_alternation(sorted(ends)))
        self._all_encoded = "\n".join(text for text, _ in self._encoded)

    def clean(self, text: str) -> str:
        return _masked(text, self.spans(text), end=len(text))

    def clean_json(self, value: object) -> object:
        """The same for every string inside a JSON value, keys left alone."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {key: self.clean_json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_json(item) for item in value]
        return value

    def spans(self, text: str, *, complete: bool = True) -> list[Span]:
        """Where the secrets stand, in order and apart; unless `complete`, text will follow."""
        if self._pattern is None:
            return []
        found = [match.span() for match in self._pattern.finditer(text)]
        for line in _WRAPPED_LINE.finditer(text):
            if self._ends.search(line[1]) or line[1] in self._all_encoded:
                ended = complete or line.end() < len(text)
                found += self._pieces(line[1], line.start(1), ended=ended)
        return _apart(found)

    def _pieces(self, line: str, at: int, *, ended: bool) -> Iterator[Span]:
        """Parts of an encoding that a block's line breaks have cut; it may go on at both ends."""
        for whole, least in self._encoded:
            if ended and len(line) >= MIN_SECRET and line in whole:
                yield at, at + len(line)
            if whole[-least:] in line and (size := _overlap(whole, line, least)):
                yield at, at + size
            if ended and whole[:least] in line and (size := _overlap(line, whole, least)):
                yield at + len(line) - size, at + len(line)


def _overlap(one: str, other: str, least: int) -> int:
    """The most characters, at least `least`, that end the one and begin the other; else 0."""
    sizes = range(min(len(one), len(other)), least - 1, -1)
    return next((size for size in sizes if one.endswith(other[:size])), 0)


def _apart(spans: list[Span]) -> list[Span]:
    """In order, those that overlap made one."""
    apart: list[Span] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _masked(text: str, spans: Iterable[Span], *, end: int) -> str:
    pieces, shown = [], 0
    for start, stop in spans:
        pieces += [text[shown:start], MASK]
        shown = stop
    return "".join((*pieces, text[shown:end]))


class RedactingStream:
    """Cleans text that arrives in chunks: nothing leaves before it can no longer grow a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    @property
    def held(self) -> int:
        """How many characters wait for more."""
        return len(self._held)

    def feed(self, chunk: str) -> str:
        """What may be shown now."""
        text = self._held + chunk
        cut = max(text.rfind("\n") + 1, len(text) - self._redactor.overlap)
        if cut <= 0:
            self._held = text
            return ""
        found = self._redactor.spans(text, complete=False)
        # What begins before the cut is seen in its full length, and leaves as one mask.
        ready = [span for span in found if span[0] < cut]
        cut = max(cut, ready[-1][1]) if ready else cut
        self._held = text[cut:]
        return _masked(text, ready, end=cut)

    def flush(self) -> str:
        """The rest, at the end of the stream."""
        ready, self._held = self._held, ""
        return self._redactor.clean(ready)
