"""The first pass: each file of the tree is read once, scanned, hashed and put into the output."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from worker.assets.building.hashing import CHUNK, Digest, Hashing, chunks, digest_of
from worker.assets.building.scanning import NO_LINKS, Scan, is_text, scan
from worker.assets.problem import Problem
from worker.assets.tree import disk_name
from worker.assets.url import hashed_path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Setup:
    """What is the same for every file."""

    #: None: nothing is put anywhere, and only the MD5 is wanted.
    out: str | None
    #: Whether the file goes into the output under its own name too.
    originals: bool
    #: Whether texts are read, for what they say about other files.
    scans: bool
    js_modules: bool
    base_url: str


class Taken(NamedTuple):
    """What the first pass found out; a file with links still needs its hashed copy."""

    path: str
    #: Of the file as it came.
    digest: Digest
    scan: Scan = NO_LINKS


@dataclass(frozen=True, slots=True)
class Batch:
    setup: Setup
    #: Logical path, and place on the disk.
    files: Sequence[tuple[str, str]]


def take_in(batch: Batch) -> list[Taken | Problem]:
    """Safe in another process: what the disk refuses comes back as a problem."""
    return [_guarded(batch.setup, path, source) for path, source in batch.files]


def put(out: str | None, path: str, content: bytes) -> None:
    """Writes a new file; what is there already was put there under the same name, and stays."""
    if out is None:
        return
    with suppress(FileExistsError):
        file = os.open(f"{out}/{disk_name(path)}", _NEW, 0o644)
        try:
            os.fchmod(file, 0o644)
            written = os.write(file, content)
            while written < len(content):
                written += os.write(file, memoryview(content)[written:])
        finally:
            os.close(file)


def unreadable(path: str, error: OSError) -> Problem:
    return Problem("input-output", f"{path}: {error.strerror or error}", file=path)


def _guarded(setup: Setup, path: str, source: str) -> Taken | Problem:
    try:
        text = setup.scans and is_text(path)
        return _text(setup, path, source) if text else _other(setup, path, source)
    except OSError as error:
        return unreadable(path, error)


def _text(setup: Setup, path: str, source: str) -> Taken:
    """Texts come into memory whole, one at a time."""
    with FileIO(source) as file:
        content = file.readall()
    found = scan(path, content, modules=setup.js_modules, base_url=setup.base_url)
    digest = digest_of(content, is_full=bool(setup.out))
    if not found.links:
        _put(setup, path, digest, content)
    elif setup.originals:
        put(setup.out, path, content)
    return Taken(path, digest, found)


def _other(setup: Setup, path: str, source: str) -> Taken:
    with FileIO(source) as file:
        content = file.read(CHUNK)
        if len(content) == CHUNK:
            file.seek(0)
            return Taken(path, _long(setup, path, file))
    digest = digest_of(content, is_full=bool(setup.out))
    _put(setup, path, digest, content)
    return Taken(path, digest)


def _put(setup: Setup, path: str, digest: Digest, content: bytes) -> None:
    if setup.out is None:
        return
    hashed = hashed_path(path, digest.short)
    put(setup.out, hashed, content)
    if setup.originals and not _linked(setup.out, hashed, path):
        put(setup.out, path, content)


def _long(setup: Setup, path: str, file: FileIO) -> Digest:
    """A chunk at a time; the name is known only when all bytes went by."""
    if setup.out is None:
        hashing = Hashing(is_full=False)
        for chunk in chunks(file):
            hashing.add(chunk)
        return hashing.digest()
    part = Path(setup.out).with_name(f"{os.getpid()}.part")
    hashing = Hashing()
    with part.open("wb") as copy:
        os.fchmod(copy.fileno(), 0o644)
        for chunk in chunks(file):
            hashing.add(chunk)
            copy.write(chunk)
    digest = hashing.digest()
    hashed = hashed_path(path, digest.short)
    place = part.replace(Path(setup.out, disk_name(hashed)))
    if setup.originals and not _linked(setup.out, hashed, path):
        original = Path(setup.out, disk_name(path))
        shutil.copyfile(place, original)  # inside the kernel
        original.chmod(0o644)
    return digest


def _linked(out: str, hashed: str, path: str) -> bool:
    """One file with two names takes half the time and half the disk, where the disk can do it."""
    try:
        os.link(f"{out}/{disk_name(hashed)}", f"{out}/{disk_name(path)}")
    except FileExistsError:
        return True
    except OSError:
        return False
    return True
