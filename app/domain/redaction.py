"""Redaction: the one place through which text passes on its way to database, stream and log."""

import base64
import json
import shlex
from collections.abc import Iterable
from urllib.parse import quote

MASK = "[redacted]"

#: Shorter values would blank out ordinary words; the API refuses secrets below this length.
MIN_SECRET = 6


def variants(value: str) -> frozenset[str]:
    """The spellings under which a secret shows up in output: plain and encoded."""
    raw = value.encode()
    found = {
        value,
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        quote(value, safe=""),
        quote(value),
        shlex.quote(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    found.update(line.strip() for line in value.splitlines())
    # Spellings are kept to one line: a secret of several lines is masked line by line, so
    # that a stream may show every finished line at once.
    return frozenset(text for text in found if len(text) >= MIN_SECRET and "\n" not in text)


class Redactor:
    """Replaces every registered secret, in all its spellings, by a mask."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {text for secret in secrets for text in variants(secret)}
        #: Longest first, so that a spelling is never cut by a shorter one inside it.
        self._spellings = sorted(spellings, key=lambda text: (-len(text), text))

    @property
    def overlap(self) -> int:
        """Characters to hold back at a cut, so that a secret across two chunks is still seen."""
        return len(self._spellings[0]) - 1 if self._spellings else 0

    def clean(self, text: str) -> str:
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def clean_json(self, value: object) -> object:
        """The same for every string inside a JSON value, keys left alone."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {key: self.clean_json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_json(item) for item in value]
        return value


class RedactingStream:
    """Cleans text that arrives in chunks: nothing leaves before it can no longer grow a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, chunk: str) -> str:
        """What may be shown now."""
        self._held = self._redactor.clean(self._held + chunk)
        cut = max(self._held.rfind("\n") + 1, len(self._held) - self._redactor.overlap)
        ready, self._held = self._held[:cut], self._held[cut:]
        return ready

    def flush(self) -> str:
        """The rest, at the end of the stream."""
        ready, self._held = self._held, ""
        return self._redactor.clean(ready)
