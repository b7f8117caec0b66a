"""Digests of files, and copies of files of any size in little memory."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

#: Bytes in memory at a time.
CHUNK = 1 << 20
_NAMED = 12


@dataclass(frozen=True, slots=True)
class Digest:
    """What is known of the bytes of a file."""

    #: The beginning of the MD5, as it stands in hashed names.
    short: str
    sha256: str
    size: int


def digest_of(content: bytes) -> Digest:
    return Hashing().add(content).digest()


class Hashing:
    """Both digests in one pass."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._size = 0

    def add(self, content: bytes | memoryview) -> "Hashing":
        self._md5.update(content)
        self._sha256.update(content)
        self._size += len(content)
        return self

    def digest(self) -> Digest:
        return Digest(self._md5.hexdigest()[:_NAMED], self._sha256.hexdigest(), self._size)


def chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def short_hash(parts: Iterable[bytes]) -> str:
    """The same beginning of the MD5 of several texts together."""
    md5 = hashlib.md5(usedforsecurity=False)
    for part in parts:
        md5.update(part)
    return md5.hexdigest()[:_NAMED]
