"""The runner's protocol: what goes to its stdin, and what its answers mean."""

import codecs
import hashlib
import posixpath
import re
import secrets
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from urllib.parse import quote

from app.domain.spellings import without_controls
from worker.remote.host import Address, Fence
from worker.steps.step import Command

#: One script on the host. A step's own process reads it up to the end of `step.sh`.
PARTS = (
    "fence.sh",
    "step.sh",
    "processes.sh",
    "follow.sh",
    "ending.sh",
    "receive.sh",
    "give.sh",
    "services.sh",
    "runner.sh",
)
#: A shell opens files under numbers of one digit, and the runner needs some itself.
MOST_LOCKS = 6
#: The longest `NAME=value` that Linux passes to a program (MAX_ARG_STRLEN).
VALUE_LIMIT = 128 * 1024 - 1
#: Exit code of the command lines below when the host has no such script yet.
NOT_UPLOADED = 96
#: The answer behind each call on a channel that waits for the next one, with the exit code.
END = "END"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_STEP_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_OPENING = b"\x1e"
_NOISE_LIMIT = 4096


def _read_text() -> str:
    room = resources.files("worker.remote")
    return "".join((room / part).read_text("ascii") for part in PARTS)


TEXT = _read_text()
FILE = f"runner-{hashlib.sha256(TEXT.encode()).hexdigest()[:12]}.sh"


def listen_line(address: Address) -> str:
    """For the login shell, whichever it is: waits for calls; the runner's file is missing: 96."""
    start = (
        f'test -f "$0" || exit {NOT_UPLOADED}; while IFS=" " read -r ll_mark ll_words; do '
        f'test -f "$0" || exit {NOT_UPLOADED}; [ -z "$ll_words" ] || sh "$0" $ll_words 2>&1; '
        f'printf "\036%s {END} %s\n" "$ll_mark" "$?"; done'
    )
    return _line(address, start, ())


def call(mark: str, words: str = "") -> bytes:
    """The line that calls the runner; what its verb reads from stdin comes behind it."""
    return f"{mark} {words}\n".encode()


def command_line(address: Address, *words: str) -> str:
    """Runs the runner once, on a channel of its own."""
    start = f'test -f "$0" || exit {NOT_UPLOADED}; exec sh "$0" "$@"'
    return _line(address, start, words)


def upload_line(address: Address, mark: str) -> str:
    """Runs the script that comes on stdin, which then stores itself; cut short, it does nothing."""
    start = (
        "ll_text=$(cat && echo .); ll_text=${ll_text%.}; "
        f'[ ${{#ll_text}} -eq {len(TEXT)} ] || exit 95; eval "$ll_text"'
    )
    return _line(address, start, ("upload", mark))


def _line(address: Address, start: str, words: Iterable[str]) -> str:
    sudo = ["sudo", "-n"] if address.sudo else []
    path = posixpath.join(address.base_dir, "runner", FILE)
    return "cd && exec " + shlex.join([*sudo, "sh", "-c", start, path, *words])


def new_mark() -> str:
    """A word nobody can guess: only the runner's own answers begin with it."""
    return secrets.token_hex(16)


def step_name(name: str) -> str:
    if not _STEP_NAME.fullmatch(name):
        raise ValueError(f"not a step name: {name!r}")
    return name


def head(mark: str, fence: Fence | None) -> str:
    """The beginning of every call's stdin; a line with a dot ends it."""
    if fence is None:
        return f"{mark}\n"
    if len(fence.tokens) > MOST_LOCKS:
        raise ValueError(f"more than {MOST_LOCKS} locks: {', '.join(sorted(fence.tokens))}")
    note = " ".join(without_controls(fence.note).split())
    locks = [f"L {quote(name, safe='')} {token}\n" for name, token in sorted(fence.tokens.items())]
    return "".join([f"{mark}\nJ {step_name(fence.job)} {note}\n", *locks])


def encode(
    mark: str, command: Command, values: Mapping[str, str], fence: Fence | None = None
) -> bytes:
    """The stdin of `run`: each value as its name, its number of lines and the lines themselves."""
    blocks = [_block("E", name, value) for name, value in values.items()]
    blocks += [_block("P", name, relative(path)) for name, path in command.paths.items()]
    blocks += [_block("C", None, relative(command.cwd)), _block("S", None, command.script)]
    return "".join([head(mark, fence), *blocks, ".\n"]).encode()


def place(mark: str, folder: str, fence: Fence | None = None, **paths: str) -> bytes:
    """The beginning of the stdin of verbs about files; the script sees each of `paths` absolute."""
    blocks = [_block("P", name, relative(path)) for name, path in paths.items()]
    blocks.append(_block("C", None, relative(folder)))
    return "".join([head(mark, fence), *blocks, ".\n"]).encode()


def _block(kind: str, name: str | None, value: str) -> str:
    if name is not None and not _is_free(name):
        raise ValueError(f"not a name for a variable: {name!r}")
    if "\0" in value:
        raise ValueError(f"the value of {name or 'the script'} contains a NUL character")
    if name is not None and len(name) + len(value.encode()) + 1 > VALUE_LIMIT:
        raise ValueError(f"the value of {name} is longer than {VALUE_LIMIT} bytes")
    return f"{kind} {name or '-'} {value.count(chr(10)) + 1}\n{value}\n"


def _is_free(name: str) -> bool:
    return bool(_VARIABLE.fullmatch(name)) and not name.startswith(("ll_", "LIFTLOCK_"))


def relative(path: str) -> str:
    """A path below the base folder; raises ValueError for any other."""
    tidy = posixpath.normpath(path)
    if tidy.startswith(("/", "../")) or tidy == ".." or "\n" in tidy:
        raise ValueError(f"not a path below the base folder: {path!r}")
    return tidy


@dataclass(frozen=True)
class Answer:
    """One line of the runner's own."""

    word: str
    rest: str


@dataclass
class Answers:
    """Tells the runner's answers from the log between them, however the bytes were cut."""

    mark: str
    noise: bytes = b""  # what came before the first answer: banners and complaints of shells
    _held: bytes = b""
    _begun: bool = False
    _opening: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._opening = _OPENING + self.mark.encode() + b" "

    def feed(self, data: bytes) -> Iterator[Answer | bytes]:
        self._held += data
        while self._held:
            start = self._held.find(self._opening)
            if start < 0:
                yield from self._log(self._safe())
                return
            yield from self._log(start)
            line, newline, rest = self._held.partition(b"\n")
            if not newline:
                return
            self._begun, self._held = True, rest
            word, _, said = line[len(self._opening) :].decode(errors="replace").partition(" ")
            yield Answer(word, said)

    def _safe(self) -> int:
        """How many bytes cannot be the beginning of an answer."""
        start = self._held.rfind(_OPENING)
        could_grow = start >= 0 and self._opening.startswith(self._held[start:])
        return start if could_grow else len(self._held)

    def _log(self, length: int) -> Iterator[bytes]:
        piece, self._held = self._held[:length], self._held[length:]
        if not self._begun:
            self.noise = (self.noise + piece)[-_NOISE_LIMIT:]
        elif piece:
            yield piece


class Decoder:
    """Bytes to text that Postgres takes: no half characters, no NUL."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes, *, final: bool = False) -> str:
        return self._utf8.decode(data, final).replace("\0", "\ufffd")
