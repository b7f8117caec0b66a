"""Puts the files of a release that a store lacks, many at once and none twice."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping

from worker.assets.manifest import HASH
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing import headers
from worker.assets.publishing.built import BuiltFolder, altered, read_checked
from worker.assets.publishing.fault import Damaged
from worker.assets.publishing.published import Stored
from worker.assets.publishing.retrying import attempt
from worker.assets.publishing.store import PART, Store
from worker.assets.tree import disk_name

#: How many large files at once; each has a few parts in memory.
_LARGE_AT_ONCE = 4
_MD5 = re.compile(r"[0-9a-f]{32}")
_TOLD = 10


class Uploading:
    """One publish's files on their way into a store."""

    def __init__(self, built: BuiltFolder, store: Store, tell: Callable[[str], None]) -> None:
        self._built, self._store, self._tell = built, store, tell
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._problems: list[Problem] = []
        self._hint = ""
        self._done = 0

    async def put(self, keys: Collection[str], *, at_once: int) -> None:
        """All of them. Raises AssetError with each that failed before the others stopped."""
        waiting = iter(sorted(keys))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(keys))):
                group.create_task(self._work(waiting, len(keys)))
        if self._problems:
            raise AssetError(self._problems, self._hint)

    async def _work(self, waiting: Iterator[str], total: int) -> None:
        for key in waiting:
            if self._problems:
                return
            try:
                await self._one(key, self._built.objects[key])
            except AssetError as error:
                self._problems.extend(error.problems)
                self._hint = error.hint
            self._done += 1
            if self._done % max(1, total // _TOLD) == 0:
                self._tell(f"put {self._done} of {total} files")

    async def _one(self, key: str, wanted: Stored) -> None:
        if wanted.size > PART:
            async with self._large:
                await self._put_large(key, wanted)
        else:
            await self._put_small(key, wanted)

    async def _put_small(self, key: str, wanted: Stored) -> None:
        content = await asyncio.to_thread(read_checked, self._built.root, key, wanted)

        async def put() -> None:
            tag = (await self._store.put(key, content, _headers(wanted)) or "").strip('"')
            if _is_another(tag, key, content) and await self._store.get(key) != content:
                raise Damaged(f"the store has other bytes than were sent: ETag {tag}")

        where = f"Putting {self._store.url}/{key}"
        await attempt(put, deed=where, key=key, pause=self._store.pause)

    async def _put_large(self, key: str, wanted: Stored) -> None:
        await self._store.put_parts(key, lambda: self._read(key, wanted), _headers(wanted))

    async def _read(self, key: str, wanted: Stored) -> AsyncIterator[bytes]:
        """The file in parts; its end comes only when it is what the manifest says."""
        digest = hashlib.sha256()
        with (self._built.root / disk_name(key)).open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PART):
                await asyncio.to_thread(digest.update, piece)
                yield piece
        if digest.hexdigest() != wanted.sha256:
            raise altered(self._built.root, key, digest.hexdigest(), wanted)


def _is_another(tag: str, key: str, content: bytes) -> bool:
    """Whether the ETag is not the content's MD5; a server that encrypts has others.

    Most names hold the beginning of the MD5, which saves to work it out again.
    """
    if not _MD5.fullmatch(tag) or f".{tag[:HASH]}." in key:
        return False
    return tag != hashlib.md5(content, usedforsecurity=False).hexdigest()


def _headers(wanted: Stored) -> Mapping[str, str]:
    return headers.of_object(wanted.name, coding=wanted.coding, sha256=wanted.sha256)
