"""Publish a built folder as the immutable release of one revision."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.assets.problem import AssetError, Problem
from worker.assets.publishing import headers, locking
from worker.assets.publishing.built import BuiltFolder, read_built
from worker.assets.publishing.conflicts import refuse_damaged, refuse_nested
from worker.assets.publishing.published import (
    LOCK,
    check_revision,
    django_key,
    own_key,
    read_text,
)
from worker.assets.publishing.store import ObjectMeta, Store
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


async def publish(
    built: Path,
    store: Store,
    revision: str,
    *,
    at_once: int = 16,
    tell: Callable[[str], None] = lambda _: None,
) -> Published:
    """Put what the store lacks, then the manifest of the revision, once and for all.

    Killed at any point there is no manifest, and the next run continues. Files of other
    releases are never touched. Raises AssetError: the built folder is not as its manifest says
    (file-missing, file-altered), the revision is there with other files (revision-differs),
    an object has another size (damaged-object; name-taken when another release wants it so), a
    name lies in a store below this one (nested-store), garbage is being collected
    (collecting-garbage), or the store failed five times (store-..., naming the key). What is
    there with the right size is not read: `inspect` does that.
    """
    check_revision(revision)
    folder, (there, listed) = await asyncio.gather(
        asyncio.to_thread(read_built, built), _look(store, revision)
    )
    release = _Release(folder, store, revision, tell)
    if there is not None:
        release.compare(there)
        # How old a lock is, can only be told beside an intent that was put just now.
        if LOCK not in listed and await release.is_whole(listed):
            tell(f"release {revision} is there already, whole")
            return release.told(set(), unchanged=True)
    return await release.publish(at_once)


async def _look(store: Store, revision: str) -> tuple[bytes | None, Mapping[str, ObjectMeta]]:
    """The release's manifest, and if it is there all that is in the store."""
    there = await store.get(own_key(revision))
    return there, {} if there is None else await store.list()


class _Release:
    def __init__(
        self, built: BuiltFolder, store: Store, revision: str, tell: Callable[[str], None]
    ) -> None:
        self._built, self._store, self._revision, self._tell = built, store, revision, tell

    async def publish(self, at_once: int) -> Published:
        """Say what is meant, look, put, seal."""
        declared = await locking.declare(self._store, self._revision, self._built.text)
        try:
            refuse_nested(self._store, self._built.objects, declared.listed)
        except AssetError:
            await self._store.delete([declared.intent])
            raise
        missing = await self._put_missing(declared.listed, at_once)
        if declared.has_taken_over:
            # The last thing that its owner asked for may have been done only now.
            missing |= await self._put_missing(await self._store.list(), at_once)
        await self._seal(declared)
        await self._store.delete([declared.intent])
        self._tell(f"published {self._revision}")
        return self.told(missing, unchanged=False)

    async def _put_missing(self, listed: Mapping[str, ObjectMeta], at_once: int) -> set[str]:
        wanted = self._built.objects
        await refuse_damaged(self._store, wanted, listed)
        missing = wanted.keys() - listed.keys()
        self._tell(f"{len(missing)} of {len(wanted)} objects are to be put")
        await Uploading(self._built, self._store, self._tell).put(missing, at_once=at_once)
        return missing

    async def is_whole(self, listed: Mapping[str, ObjectMeta]) -> bool:
        """By names and sizes. Raises AssetError: a wrong size belongs to its manifest too."""
        await refuse_damaged(self._store, self._built.objects, listed)
        return {*self._built.objects, django_key(self._revision)} <= listed.keys()

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

    async def _seal(self, declared: locking.Declared) -> None:
        """Both manifests, the deciding one last and only once."""
        own, django = own_key(self._revision), django_key(self._revision)
        there = await self._store.get(own)
        if there is None:
            if await self._store.get(declared.intent) is None or not declared.is_lasting:
                raise locking.intent_lost(declared.intent)
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
