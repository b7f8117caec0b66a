"""Files from a host: one stream with the contents that are lacking here, checked as they come."""

import asyncio
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from worker.remote import calls, runner
from worker.remote.asking import there
from worker.remote.conversation import Delivery, Interrupted, failed
from worker.remote.errors import FilesChanged
from worker.remote.host import Address, Fence, Listed
from worker.remote.link import Link
from worker.remote.runner import Answer

#: Seconds without any progress, after which the host counts as lost.
_STALL = 60.0
#: Bytes that are gathered before a thread writes them: small files cost no thread each.
_GATHERED = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


async def fetch(
    link: Link, folder: str, files: Sequence[Listed], into: Path, fence: Fence | None = None
) -> None:
    """See `Host.fetch`."""
    what = f"Fetching {len(files)} files of {folder}"
    await calls.repeated(link, what, lambda: _fetch(link, folder, files, into, fence))


async def _fetch(
    link: Link, folder: str, files: Sequence[Listed], into: Path, fence: Fence | None
) -> None:
    wanted = await asyncio.to_thread(_lacking, files, into)
    if not wanted:
        return
    mark = runner.new_mark()
    line = runner.command_line(link.address, "give")
    names = b"".join(b"./" + file.path.encode() + b"\0" for file in wanted)
    stdin = runner.place(mark, folder, fence) + names
    arriving = Arriving(wanted, into, folder=folder, address=link.address)
    try:
        async with Delivery(link, line, stdin, mark=mark) as stream:
            await _take(link, stream, arriving, folder)
    finally:
        await asyncio.to_thread(arriving.close)


async def _take(link: Link, stream: Delivery, arriving: "Arriving", folder: str) -> None:
    answers: list[Answer] = []
    gathered = bytearray()
    while pieces := await _read(stream):
        for piece in pieces:
            if isinstance(piece, Answer):
                answers.append(piece)
                there(link, piece, folder)
            else:
                gathered += piece
        if len(gathered) >= _GATHERED and answers[0].word == "GIVING":
            chunk, gathered = gathered, bytearray()
            await asyncio.to_thread(arriving.feed, chunk)
    if not answers:
        raise await stream.explain_silence(link.address)
    if answers[0].word == "FAILED":
        raise failed(link.address, bytes(gathered))
    await asyncio.to_thread(arriving.feed, gathered)
    if answers[-1].word != "GIVEN":
        raise Interrupted("the stream of files ended in the middle")
    arriving.end()


async def _read(stream: Delivery) -> list[Answer | bytes]:
    try:
        async with asyncio.timeout(_STALL):
            return await stream.read()
    except TimeoutError as error:
        raise Interrupted(f"the host sent nothing for {_STALL:g} s") from error


def _lacking(files: Sequence[Listed], into: Path) -> list[Listed]:
    """One file for each content that is not there."""
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents = {file.sha256: file for file in files}
    return [file for file in contents.values() if not is_there(into, file)]


def place_of(into: Path, file: Listed) -> Path:
    """Where its content is kept; raises ValueError for a sum that would be a path of its own."""
    if not _SHA256.fullmatch(file.sha256):
        raise ValueError(f"{file.path!r} is listed with {file.sha256!r}, which is no SHA-256.")
    return into / file.sha256


def is_there(into: Path, file: Listed) -> bool:
    """Whether it was fetched before; one that a power failure cut short does not count."""
    try:
        return place_of(into, file).stat().st_size == file.size
    except FileNotFoundError:
        return False


def _private(path: Path) -> BinaryIO:
    """What a host has is for no other users of this machine."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


class Arriving:
    """Writes a stream of contents, one behind the other, to files named by their sums."""

    def __init__(
        self, files: Sequence[Listed], into: Path, *, folder: str, address: Address
    ) -> None:
        self._files, self._into = iter(files), into
        self._folder, self._address = folder, address
        #: Under a name of its own: another worker may fetch the same content.
        self._part = into / f".part-{secrets.token_hex(8)}"
        self._out: BinaryIO | None = None
        #: A thread may still be writing when the call that started it was canceled.
        self._lock, self._is_closed = threading.Lock(), False
        self._next()

    def feed(self, data: bytes | bytearray) -> None:
        """Blocks; raises FilesChanged."""
        with self._lock:
            if not self._is_closed:
                self._feed(memoryview(data))

    def _feed(self, view: memoryview) -> None:
        while self._file and (view or not self._left):
            piece, view = view[: self._left], view[self._left :]
            if self._out is None:
                self._out = _private(self._part)
            self._out.write(piece)
            self._digest.update(piece)
            self._left -= len(piece)
            if not self._left:
                self._keep(self._file)
        if view:
            raise self._changed("more came than was listed")

    def end(self) -> None:
        """Raises FilesChanged unless everything has come."""
        if self._file:
            raise self._changed(f"{self._left} of its {self._file.size} bytes did not come")

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._out:
                self._out.close()
            self._part.unlink(missing_ok=True)

    def _next(self) -> None:
        self._file = next(self._files, None)
        self._left = self._file.size if self._file else 0
        self._digest = hashlib.sha256()

    def _keep(self, file: Listed) -> None:
        if self._digest.hexdigest() != file.sha256:
            raise self._changed("its bytes are others than when it was listed")
        if self._out:
            self._out.close()
            self._out = None
        os.replace(self._part, place_of(self._into, file))  # noqa: PTH105 - says what it does
        self._next()

    def _changed(self, why: str) -> FilesChanged:
        name = self._file.path if self._file else "the last one"
        return FilesChanged(
            f"{self._folder}/{name} on host {self._address}, or a file sent just before it, "
            f"changed while it was fetched: {why}.",
            hint="See that nothing writes there any more when the build has ended, then repeat.",
        )
