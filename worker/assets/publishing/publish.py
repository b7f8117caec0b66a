"""Publish a built folder as the immutable release of one revision."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.assets.problem import AssetError, Problem
from worker.assets.publishing import headers, locking
from worker.assets.publishing.built import BuiltFolder, read_built
from worker.assets.publishing.published import (
    check_revision,
    django_key,
    note_key,
    own_key,
    read_text,
)
from worker.assets.publishing.store import Listed, Store
from worker.assets.publishing.uploading import Uploading

_NAMED = 5


@dataclass(frozen=True)
class Published:
    """What one publish did; files and bytes are counted without compressed copies."""

    revision: str
    manifest_key: str
    files: int
    bytes: int
    #: Put now; the other ones were in the store.
    new: int
    new_bytes: int
    reused: int
    #: The release was there, whole: nothing was put.
    unchanged: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _silent(_: str) -> None:
    return


async def publish(
    built: Path,
    store: Store,
    revision: str,
    *,
    at_once: int = 16,
    tell: Callable[[str], None] = _silent,
) -> Published:
    """Put what the store lacks, then the manifest of the revision, once and for all.

    Killed at any point there is no manifest, and the next run continues. Files of other
    releases are never touched. Raises AssetError: the built folder is not as its manifest says
    (file-missing, file-altered), the revision is there with other files (revision-differs),
    an object is damaged (damaged-object), garbage is being collected (collecting-garbage), or
    the store failed five times (store-..., naming the key).
    """
    check_revision(revision)
    folder, there = await asyncio.gather(
        asyncio.to_thread(read_built, built), store.get(own_key(revision))
    )
    release = _Release(folder, store, revision, tell)
    if there is not None:
        release.compare(there)
        listed = await store.list()
        locking.refuse_while_collecting(listed, datetime.now(UTC))
        if not release.missing(listed) and django_key(revision) in listed:
            tell(f"release {revision} is there already, whole")
            return release.told(set(), unchanged=True)
    return await release.publish(at_once)


class _Release:
    def __init__(
        self, built: BuiltFolder, store: Store, revision: str, tell: Callable[[str], None]
    ) -> None:
        self._built, self._store, self._revision, self._tell = built, store, revision, tell

    async def publish(self, at_once: int) -> Published:
        """Say what is meant, look, put, seal."""
        intent = note_key(self._revision, locking.INTENT, self._built.text)
        listed = await locking.declare(self._store, intent, self._built.text)
        missing = self.missing(listed)
        self._tell(f"{len(missing)} of {len(self._built.objects)} objects are to be put")
        await Uploading(self._built, self._store, self._tell).put(missing, at_once=at_once)
        await self._seal(intent)
        await self._store.delete([intent])
        self._tell(f"published {self._revision}")
        return self.told(missing, unchanged=False)

    def missing(self, listed: Mapping[str, Listed]) -> set[str]:
        """Keys to put. Raises AssetError: an object of a wrong size belongs to its manifest too."""
        wanted = self._built.objects
        damaged = [
            Problem(
                "damaged-object",
                f"{self._store.url}/{key} has {listed[key].size} bytes, wanted {stored.size}:"
                " its name says its content, so it is damaged",
                file=key,
            )
            for key, stored in wanted.items()
            if key in listed and listed[key].size != stored.size
        ]
        if damaged:
            raise AssetError(damaged, f"Remove it, then publish again: {self._removal(damaged)}")
        return wanted.keys() - listed.keys()

    def compare(self, there: bytes) -> None:
        """Raises AssetError (revision-differs) with the names in which it differs."""
        if there == self._built.text:
            return
        key = own_key(self._revision)
        before = dict(read_text(there, f"{self._store.url}/{key}").files)
        now = dict(self._built.manifest.files)
        changed = sorted(path for path in before | now if before.get(path) != now.get(path))
        names = ", ".join(changed[:_NAMED]) or "only the text of the manifest"
        message = (
            f"Release {self._revision} is in {self._store.url} with other files: {len(changed)} of"
            f" {len(before | now)} differ ({names}{', ...' if len(changed) > _NAMED else ''}):"
            f" {len(now.keys() - before.keys())} more, {len(before.keys() - now.keys())} fewer"
        )
        hint = "A release never changes: publish these files as another revision."
        raise AssetError([Problem("revision-differs", message, file=key)], hint)

    async def _seal(self, intent: str) -> None:
        """Both manifests, the deciding one last and only once."""
        own, django = own_key(self._revision), django_key(self._revision)
        # In this order: an equal publish that ends takes away the intent after its manifest.
        is_meant = await self._store.get(intent) is not None
        there = await self._store.get(own)
        if there is None:
            if not is_meant:
                raise locking.intent_lost(intent)
            text = self._built.manifest.as_django()
            await self._store.put(django, text, headers.of_record())
            if await self._store.create(own, self._built.text):
                return
            there = await self._store.get(own) or b""
        # Another publish of this revision was quicker: what Django reads is to be as it says.
        files = read_text(there, f"{self._store.url}/{own}").as_django()
        if await self._store.get(django) != files:
            await self._store.put(django, files, headers.of_record())
        self.compare(there)

    def told(self, put: set[str], *, unchanged: bool) -> Published:
        files = {asset.name: asset.size for asset in self._built.manifest.files.values()}
        new = files.keys() & put
        return Published(
            revision=self._revision,
            manifest_key=own_key(self._revision),
            files=len(files),
            bytes=sum(files.values()),
            new=len(new),
            new_bytes=sum(files[name] for name in new),
            reused=len(files) - len(new),
            unchanged=unchanged,
        )

    def _removal(self, damaged: list[Problem]) -> str:
        first = damaged[0].file
        folder = self._store.folder
        return f"rm '{folder}/{first}'" if folder else f"aws s3 rm '{self._store.url}/{first}'"
