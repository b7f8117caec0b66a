"""Compressed copies beside hashed files, for servers that hand them out as they are."""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.assets.building.hashing import Hashing, chunks
from worker.assets.manifest import ENDINGS, Copy
from worker.assets.problem import Problem
from worker.assets.tree import disk_name

#: All three then do 10 to 15 MB/s a CPU. Brotli 11 does 0.5 and makes files 10 % smaller.
_GZIP, _BROTLI, _ZSTD = 9, 9, 12
#: Binary logarithms of bytes. The tables of the large one take 10 ms to set up for each file.
_SMALL_WINDOW, _WINDOW = 16, 22
#: A copy that saves less is not worth a file: header and look-up cost more.
_SAVED, _SAVED_PART = 256, 20
#: Endings, each between blanks.
_PACKED = (
    " 7z apk avif avi br bz2 docx epub flac flv gif gz heic heif jar jpe jpeg jpg jxl lz4 lzma m4a"
    " m4v mkv mov mp3 mp4 mpeg mpg oga ogg ogv opus png pptx rar swf tbz tgz txz webm webp wmv"
    " woff woff2 xlsx xz zip zst "
)


class _Compressor(Protocol):
    def add(self, content: bytes) -> bytes: ...

    def end(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files of the output that get copies."""

    out: str
    #: Hashed paths, with the size of each.
    files: Sequence[tuple[str, int]]
    codings: Sequence[str]


def pays(path: str, size: int) -> bool:
    """Whether to try at all: images, fonts, films and archives are packed already."""
    return size > _SAVED and f" {path.rpartition('.')[2].lower()} " not in _PACKED


def compress(wanted: Wanted) -> list[tuple[str, dict[str, Copy]] | Problem]:
    """The copies that were written, by hashed path; safe in another process."""
    return [_guarded(wanted, path, size) for path, size in wanted.files]


def _guarded(wanted: Wanted, path: str, size: int) -> tuple[str, dict[str, Copy]] | Problem:
    try:
        copies = {
            coding: copy
            for coding in wanted.codings
            if (copy := _compressed(Path(wanted.out, disk_name(path)), size, coding))
        }
    except _Taken as clash:
        message = f"{path}: its copy is {clash}, and another file of that name has other bytes"
        return Problem("name-clash", message, file=path)
    except OSError as error:
        return Problem("input-output", f"{path}: {error.strerror or error}", file=path)
    return path, copies


class _Taken(Exception):
    """The copy's name belongs to an original of the tree, as in an output that is built again."""


def _compressed(file: Path, size: int, coding: str) -> Copy | None:
    """A chunk at a time, so that the size of the file does not matter."""
    target = file.with_name(file.name + ENDINGS[coding])
    part = target.with_name(f".{os.getpid()}.part")
    hashing = Hashing()
    with file.open("rb") as source, part.open("wb") as copy:
        os.fchmod(copy.fileno(), 0o644)
        for chunk in _stream(_COMPRESSORS[coding](size), chunks(source)):
            hashing.add(chunk)
            copy.write(chunk)
    digest = hashing.digest()
    if size - digest.size < max(_SAVED, size // _SAVED_PART):
        part.unlink()
        return None
    if target.exists():
        if target.read_bytes() != part.read_bytes():
            raise _Taken(target.name)
        part.unlink()
    else:
        part.rename(target)
    return Copy(digest.size, digest.sha256)


def _stream(compressor: _Compressor, content: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in content:
        yield compressor.add(chunk)
    yield compressor.end()


class _Gzip:
    """Without name and time: the same bytes from the same bytes."""

    def __init__(self, _: int) -> None:
        compressor = zlib.compressobj(_GZIP, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        self.add, self.end = compressor.compress, compressor.flush


class _Brotli:
    def __init__(self, size: int) -> None:
        import brotli  # noqa: PLC0415  (only for those who want it)

        window = _SMALL_WINDOW if size < 1 << _SMALL_WINDOW else _WINDOW
        compressor = brotli.Compressor(quality=_BROTLI, lgwin=window)
        self.add, self.end = compressor.process, compressor.finish


class _Zstd:
    def __init__(self, size: int) -> None:
        import zstandard  # noqa: PLC0415  (as above)

        compressor = zstandard.ZstdCompressor(level=_ZSTD).compressobj(size=size)
        self.add, self.end = compressor.compress, compressor.flush


_COMPRESSORS: dict[str, Callable[[int], _Compressor]] = {
    "gzip": _Gzip,
    "br": _Brotli,
    "zstd": _Zstd,
}
