"""Words of the command line as values: pairs, port ranges, and files with `-` for the input."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from app.cli.errors import UsageError

_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")


def pairs(words: Iterable[str], *, option: str) -> dict[str, str]:
    """`K=V` words as a dictionary; raises UsageError."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            # The word itself stays out of the message: it may be a value that is nobody's business.
            raise UsageError(f"{option} needs KEY=VALUE.")
        if key in found:
            raise UsageError(f"{option} names {key} twice.")
        found[key] = value
    return found


def port_range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no range of ports.", hint="For example --ports 20000-20099")
    first, last = int(match.group(1)), int(match.group(2))
    if not 1 <= first <= last <= 65_535:  # noqa: PLR2004  (the largest port)
        raise UsageError(f"{text} is no range of ports between 1 and 65535.")
    return first, last


def file_text(name: str) -> str:
    """The file's text; `-` reads standard input. Raises UsageError."""
    return _decoded(file_bytes(name), name)


def file_bytes(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from error


def secret(name: str) -> str:
    """A secret value from a file or standard input, without the line end an editor adds."""
    text = file_text(name)
    # A key of several lines needs its last line end; a password must not have one.
    value = text if text.count("\n") > 1 else text.removesuffix("\n").removesuffix("\r")
    if not value:
        where = "standard input" if name == "-" else name
        raise UsageError(f"The secret is empty: nothing was read from {where}.")
    return value


def secrets(words: Iterable[str]) -> dict[str, str]:
    """`K=@FILE` and `K=-` words; a value in the command line would be seen by every process."""
    sources = pairs(words, option="--secret")
    if sum(source == "-" for source in sources.values()) > 1:
        raise UsageError("Only one --secret can come from standard input.")
    found = {}
    for key, source in sources.items():
        if source != "-" and not source.startswith("@"):
            raise UsageError(
                f"--secret {key} must come from a file or standard input, not from the command"
                " line, where every process of this machine can read it.",
                hint=f"--secret {key}=@FILE, or --secret {key}=-",
            )
        found[key] = secret(source.removeprefix("@"))
    return found


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text.") from error
