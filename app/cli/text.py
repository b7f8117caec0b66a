"""Text from elsewhere, made safe for a terminal; and how times and lists are worded."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

# What a terminal would carry out without showing it: colours and cursor moves, then titles and
# other operating system commands, as long as they are complete.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
)
# Whatever control is left; marks that reorder text, so that a name cannot pose as another;
# halves of a pair, which no stream can write.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_HALVES = re.compile(r"[\ud800-\udfff]")
_MINUTE, _HOUR = 60, 3600
_THOUSAND = 1000


def plain(text: object) -> str:
    r"""Text without anything a terminal obeys; lines and tabs stay.

    Complete escape sequences vanish, lone controls become visible (`\x1b`). A carriage return
    becomes a new line: what it would have written over stays readable.
    """
    shown = _SEQUENCES.sub("", str(text))
    shown = shown.replace("\r\n", "\n").replace("\r", "\n")
    shown = _HALVES.sub("\ufffd", shown)
    return _CONTROLS.sub(_visible, shown)


def one_line(text: object) -> str:
    """The same on one line, for a cell of a table."""
    return " ".join(plain(text).split())


def cell(value: Any) -> str:
    """A JSON value as a person reads it in one line."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{one_line(key)}={cell(item)}" for key, item in value.items()) or "-"
        case list():
            return ", ".join(cell(item) for item in value) or "-"
        case _:
            return one_line(value)


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 20 s`, `1 h 05 min`."""
    if seconds < 10:  # noqa: PLR2004  (below it, tenths matter)
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def size(count: Any) -> str:
    """Bytes as `812 B`, `1.4 MB`."""
    amount = float(count or 0)
    if amount < _THOUSAND:
        return f"{amount:.0f} B"
    for unit in ("kB", "MB"):
        amount /= _THOUSAND
        if amount < _THOUSAND:
            return f"{amount:.1f} {unit}"
    return f"{amount / _THOUSAND:.1f} GB"


def moment(value: Any) -> str:
    """A time of the API as local time to the second; `-` for none."""
    if not value:
        return "-"
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return one_line(value)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns, two spaces apart."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _visible(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004
