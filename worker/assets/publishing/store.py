"""A place for published files: a bucket of an object store or a folder, with one behavior."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from worker.assets.problem import AssetError, Problem
from worker.assets.publishing import headers
from worker.assets.publishing.fault import UNCONDITIONAL
from worker.assets.publishing.retrying import attempt
from worker.assets.store_url import StoreUrl, read_store_url
from worker.assets.tree import disk_name

T = TypeVar("T")
Inner = S3Store | LocalStore | GCSStore | AzureStore | MemoryStore

#: Bytes of a part of a large file; S3 wants 5 MiB at least and at most 10,000 parts.
PART = 8 * 2**20
_PARTS_AT_ONCE = 2
_FILE, _FOLDER = 0o644, 0o755
_MOST_DELETED = 500


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """An object of a listing; the time is the store's clock."""

    size: int
    modified: datetime


@dataclass(frozen=True)
class Store:
    """Every call is tried up to five times; raises AssetError, which names the key."""

    url: str
    inner: Inner
    #: Of a directory store.
    folder: Path | None = None
    #: Seconds before the second try.
    pause: float = 0.5

    async def list(self, prefix: str | None = None) -> dict[str, ObjectMeta]:
        """By key, all of them or those below a folder."""
        found = await self._attempt(
            lambda: self.inner.list(prefix).collect_async(), "Listing", prefix or ""
        )
        return {item["path"]: ObjectMeta(item["size"], item["last_modified"]) for item in found}

    async def get(self, key: str) -> bytes | None:
        """The whole content; None without such an object."""
        try:
            return await self._attempt(lambda: self._read(key), "Getting", key)
        except FileNotFoundError:
            return None

    async def pieces(self, key: str) -> AsyncIterator[bytes]:
        """The content of a large object."""
        result = await self._attempt(lambda: self.inner.get_async(key), "Getting", key)
        async for piece in result.stream():
            yield bytes(piece)

    async def put(self, key: str, content: bytes, told: Mapping[str, str]) -> str | None:
        """Write over what is there; returns the ETag."""
        return await self._attempt(lambda: self._write(key, content, told, {}), "Putting", key)

    async def put_parts(
        self, key: str, read: Callable[[], AsyncIterator[bytes]], told: Mapping[str, str]
    ) -> None:
        """A large file, in parts of 8 MiB, of which a few are in memory; whole or not at all."""
        options = {"chunk_size": PART, "max_concurrency": _PARTS_AT_ONCE, "use_multipart": True}
        await self._attempt(lambda: self._write(key, read(), told, options), "Putting", key)

    async def create(self, key: str, content: bytes) -> bool:
        """Write unless it is there; false: it was, and nothing has changed."""
        told = headers.of_record()
        try:
            await self._attempt(
                lambda: self._write(key, content, told, {"mode": "create"}), "Creating", key
            )
        except AlreadyExistsError:
            return False
        except AssetError as refused:
            if refused.problems[0].code != UNCONDITIONAL:
                raise
            if await self.get(key) is not None:
                return False
            await self.put(key, content, told)
        # Where conditions are unknown or ignored, another may have written just now.
        return await self.get(key) == content

    async def delete(self, keys: Collection[str]) -> None:
        """One that is not there is no error."""
        ordered = sorted(keys)
        for start in range(0, len(ordered), _MOST_DELETED):
            part = ordered[start : start + _MOST_DELETED]
            await self._attempt(partial(self._remove, part), "Deleting", part[0])

    async def _attempt(self, call: Callable[[], Awaitable[T]], deed: str, key: str) -> T:
        where = f"{deed} {self.url}/{key}".rstrip("/")
        return await attempt(call, deed=where, key=key, pause=self.pause)

    async def _read(self, key: str) -> bytes:
        result = await self.inner.get_async(key)
        return bytes(await result.bytes_async())

    async def _write(
        self, key: str, content: Any, told: Mapping[str, str], options: Mapping[str, Any]
    ) -> str | None:
        given = dict(options) if self.folder else {**options, "attributes": dict(told)}
        if not options:
            given["use_multipart"] = False
        result = await self.inner.put_async(key, content, **given)
        if self.folder:
            await asyncio.to_thread(_settle, self.folder, key)
        return result["e_tag"]

    async def _remove(self, keys: Collection[str]) -> None:
        try:
            await self.inner.delete_async(list(keys))
        except FileNotFoundError:
            for key in keys:
                await self._remove_one(key)

    async def _remove_one(self, key: str) -> None:
        try:
            await self.inner.delete_async(key)
        except FileNotFoundError:
            return


def open_store(url: str, *, make: bool = True) -> Store:
    """`s3://bucket/prefix` or `file:///folder`, which is made unless `make` is false.

    Credentials, region and endpoint of S3 come from the AWS_ variables. `gs://` and `az://` are
    handed to obstore and were never tried. Raises AssetError (bad-store-url, store-folder).
    """
    place = read_store_url(url, os.environ)
    try:
        return Store(place.url, _opened(place, make=make), place.folder)
    except (BaseError, OSError, ValueError) as error:
        said = str(error).partition("\n\nDebug source")[0]
        hint = "Make the folder, or correct the URL." if place.folder else "Correct the URL."
        raise AssetError([Problem("store-folder", f"{place.url}: {said}")], hint) from error


def _opened(place: StoreUrl, *, make: bool) -> Inner:
    if place.folder:
        if make:
            _make(place.folder)
        return LocalStore(place.folder, automatic_cleanup=True)
    from_url: Any = obstore.store.from_url
    return cast("Inner", from_url(place.url, config=place.config, **place.options))


def _make(folder: Path) -> None:
    """With what it lies in; the web server may enter what is made here, whatever the umask."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in made:
        each.chmod(_FOLDER)


def _settle(root: Path, key: str) -> None:
    """Let the web server read the file and its folders, whatever the umask, and keep it on disk."""
    path = root / disk_name(key)
    for folder in path.parents:
        if folder == root:
            break
        if folder.stat().st_mode & _FOLDER != _FOLDER:
            folder.chmod(_FOLDER)
    with path.open("rb") as file:
        os.fchmod(file.fileno(), _FILE)
        os.fsync(file.fileno())
