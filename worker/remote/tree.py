"""Files of this machine that go to a host: what they are, and their bytes as one tar stream."""

import hashlib
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from worker.remote.errors import SourceRefused

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Entry:
    path: str  # in the folder on the host; no `..`, no newline
    source: Path
    is_folder: bool
    executable: bool
    size: int
    modified: int

    @cached_property
    def digest(self) -> str:
        """The sha256 of the file as it is now."""
        digest = hashlib.sha256()
        for piece in _content(self):
            digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True)
class Tree:
    folder: str  # below the host's base folder
    entries: tuple[Entry, ...]  # a folder before what is in it

    @property
    def files(self) -> int:
        return sum(not entry.is_folder for entry in self.entries)

    def names(self) -> bytes:
        return b"".join(_name(entry) + b"\0" for entry in self.entries)

    def missing(self, listing: bytes) -> list[Entry]:
        """What a host with this listing lacks; reads the files that it seems to have."""
        kinds, digests = _read_listing(listing)
        return [entry for entry in self.entries if not _is_there(entry, kinds, digests)]


def read(source: Path, to: str) -> Tree:
    """A folder with everything in it, or one file; raises SourceRefused for anything else.

    Symbolic links are refused: they would mean something else on the host, or lead elsewhere.
    """
    if source.is_dir():
        return Tree(to, tuple(_walk(source, "")))
    return Tree(posixpath.dirname(to) or ".", (_entry(source, posixpath.basename(to)),))


def pack(entries: list[Entry]) -> Iterator[bytes]:
    """`paths`, the entries below `tree/`, and `digest`: the sha256 of the files' sums."""
    buffer, sums = bytearray(), hashlib.sha256()
    paths = b"".join(_name(entry) + b"\0" for entry in entries if not entry.is_folder)
    buffer += _member("paths", paths) + _header("tree", folder=True)
    for entry in entries:
        name, mode = f"tree/{entry.path}", 0o755 if entry.executable else 0o644
        if entry.is_folder:
            buffer += _header(name, folder=True)
            continue
        buffer += _header(name, size=entry.size, mode=mode, modified=entry.modified)
        digest = hashlib.sha256()
        for piece in _content(entry):
            digest.update(piece)
            if len(buffer) + len(piece) < _CHUNK:
                buffer += piece
                continue
            if buffer:
                yield bytes(buffer)
                buffer.clear()
            yield piece
        buffer += _padding(entry.size)
        sums.update(f"{digest.hexdigest()}\n".encode())
    yield bytes(buffer + _member("digest", f"{sums.hexdigest()}\n".encode()) + bytes(1024))


def _walk(folder: Path, prefix: str) -> Iterator[Entry]:
    for name in sorted(_list(folder)):
        entry = _entry(folder / name, prefix + name)
        yield entry
        if entry.is_folder:
            yield from _walk(entry.source, f"{prefix}{name}/")


def _list(folder: Path) -> list[str]:
    try:
        return [item.name for item in folder.iterdir()]
    except OSError as error:
        raise _refused(folder, f"it cannot be read: {error.strerror}") from error


def _entry(source: Path, path: str) -> Entry:
    try:
        found = source.lstat()
    except OSError as error:
        raise _refused(source, f"it cannot be read: {error.strerror}") from error
    is_folder = stat.S_ISDIR(found.st_mode)
    if "\n" in path:
        raise _refused(source, "its name has a line break")
    if stat.S_ISLNK(found.st_mode):
        raise _refused(source, "it is a symbolic link; put the file itself there")
    if not is_folder and not stat.S_ISREG(found.st_mode):
        raise _refused(source, "it is neither a file nor a folder")
    executable = not is_folder and bool(found.st_mode & stat.S_IXUSR)
    return Entry(path, source, is_folder, executable, found.st_size, int(found.st_mtime))


def _content(entry: Entry) -> Iterator[bytes]:
    left = entry.size
    try:
        with entry.source.open("rb", buffering=0) as file:
            while left and (piece := file.read(min(left, _CHUNK))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise _refused(entry.source, f"it cannot be read: {error.strerror}") from error
    if left:
        raise _refused(entry.source, "it became shorter while it was read")


def _name(entry: Entry) -> bytes:
    """No program takes it for an option."""
    return os.fsencode(f"./{entry.path}")


def _header(
    name: str, *, folder: bool = False, size: int = 0, mode: int = 0o755, modified: int = 0
) -> bytes:
    header = tarfile.TarInfo(name)
    header.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    header.size, header.mode, header.mtime = size, mode, modified
    # GNU's form for long names is the one that busybox knows too.
    return header.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _member(name: str, content: bytes) -> bytes:
    return _header(name, size=len(content), mode=0o644) + content + _padding(len(content))


def _read_listing(listing: bytes) -> tuple[dict[bytes, bytes], dict[bytes, str]]:
    """Kinds and sums by name, from the lines of the runner's `compare`."""
    kinds: dict[bytes, bytes] = {}
    digests: dict[bytes, str] = {}
    for line in listing.split(b"\n"):
        if line[1:2] == b" ":
            kinds[line[2:]] = line[:1]
        elif line.startswith(b"\\"):  # GNU's way of writing a name with a backslash
            digests[line[67:].replace(b"\\\\", b"\\")] = line[1:65].decode("ascii", "replace")
        else:
            digests[line[66:]] = line[:64].decode("ascii", "replace")
    return kinds, digests


def _is_there(entry: Entry, kinds: dict[bytes, bytes], digests: dict[bytes, str]) -> bool:
    name = _name(entry)
    if entry.is_folder:
        return kinds.get(name) == b"d"
    wanted = b"x" if entry.executable else b"-"
    return kinds.get(name) == wanted and name in digests and digests[name] == entry.digest


def _refused(source: Path, why: str) -> SourceRefused:
    return SourceRefused(
        f"{os.fsencode(source).decode(errors='replace')!r} cannot be sent: {why}.",
        hint=f"Look at it on the worker's machine: ls -lab {source.parent}",
    )
