"""Digests of files, and copies of files of any size in little memory."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from worker.assets.manifest import HASH

#: Bytes in memory at a time.
CHUNK = 1 << 20


class Digest(NamedTuple):
    """What is known of the bytes of a file. A tuple goes between processes in half the time."""

    #: The beginning of the MD5, as it stands in hashed names.
    short: str
    #: Empty when it was not asked for.
    sha256: str
    size: int


def digest_of(content: bytes, *, is_full: bool = True) -> Digest:
    return Hashing(is_full=is_full).add(content).digest()


class Hashing:
    """Both digests in one pass; not in full, the MD5 alone, which takes half the time."""

    def __init__(self, *, is_full: bool = True) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if is_full else None
        self._size = 0

    def add(self, content: bytes | memoryview) -> "Hashing":
        self._md5.update(content)
        if self._sha256:
            self._sha256.update(content)
        self._size += len(content)
        return self

    def digest(self) -> Digest:
        sha256 = self._sha256.hexdigest() if self._sha256 else ""
        return Digest(self._md5.hexdigest()[:HASH], sha256, self._size)


def chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def short_hash(parts: Iterable[bytes]) -> str:
    """The same beginning of the MD5 of several texts together."""
    md5 = hashlib.md5(usedforsecurity=False)
    for part in parts:
        md5.update(part)
    return md5.hexdigest()[:HASH]
