"""Remove releases that nobody needs, and the files that none of the kept ones names."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.assets.problem import printable
from worker.assets.publishing import headers
from worker.assets.publishing.locking import Lock, removed_key
from worker.assets.publishing.published import (
    LOCK,
    django_key,
    no_such_release,
    own_key,
    released_in,
)
from worker.assets.publishing.store import Store
from worker.assets.publishing.survey import Survey, read_survey

_BATCH = 500
_NAMED = 20


@dataclass(frozen=True)
class Garbage:
    """What a collection removed, or would remove in a dry run."""

    kept: tuple[str, ...]
    #: Releases, by revision.
    removed: tuple[str, ...]
    #: Objects, compressed copies among them, and their bytes.
    files: int
    bytes: int
    #: The first of their names.
    names: tuple[str, ...]
    dry_run: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def in_words(self) -> str:
        verb = "would remove" if self.dry_run else "removed"
        releases = f"{len(self.removed)} releases ({len(self.kept)} kept)"
        lines = [f"{verb} {releases} and {self.files} files of {self.bytes / 1e6:.1f} MB"]
        if self.dry_run:
            more = self.files - len(self.names)
            lines += [f"  {printable(name)}" for name in self.names] + [
                f"  and {more} more"
            ] * bool(more)
        return "\n".join(lines)


async def collect_garbage(
    store: Store,
    *,
    keep: Collection[str] | None,
    keep_newest: int | None,
    grace: timedelta,
    dry_run: bool,
    tell: Callable[[str], None] = lambda _: None,
) -> Garbage:
    """Remove what no kept release names and what is older than `grace`.

    Kept are the revisions of `keep`, the `keep_newest` newest releases, and those younger than
    `grace`; every release when both are None. Only names that a manifest in the store has said
    are ever deleted: what others put there stays. Ages are told by the store's own clock; a dry
    run, which puts nothing, does not see that clock and takes this machine's. Raises AssetError
    (no-such-release, bad-manifest, collecting-garbage, lock-lost, store-...); then nothing that
    is kept is lost.
    """
    wishes = _Wishes(keep, keep_newest, grace)
    if dry_run:
        survey = await read_survey(store, await store.list(), datetime.now(UTC))
        return _Collection(store, survey, wishes, tell).told(dry_run=True)
    async with Lock(store) as lock:
        listed = await lock.take()
        survey = await read_survey(store, listed, listed[LOCK].modified)
        collection = _Collection(store, survey, wishes, tell)
        await collection.remove(lock)
        return collection.told(dry_run=False)


@dataclass(frozen=True)
class _Wishes:
    keep: Collection[str] | None
    keep_newest: int | None
    grace: timedelta


class _Collection:
    def __init__(
        self, store: Store, survey: Survey, wishes: _Wishes, tell: Callable[[str], None]
    ) -> None:
        self._store, self._survey, self._wishes, self._tell = store, survey, wishes, tell
        self._kept = self._revisions_kept()
        self._doomed = self._survey.manifests.keys() - self._kept
        named = self._survey.named_by(self._kept)
        self._files = {
            key: listing
            for key, listing in survey.known().items()
            if key not in named and self._is_old(listing.modified)
        }

    async def remove(self, lock: Lock) -> None:
        """Manifests first, so that no release is there with files missing."""
        for revision in sorted(self._doomed):
            await self._remove_release(revision, lock)
        keys = sorted(self._files)
        for start in range(0, len(keys), _BATCH):
            await self._delete(keys[start : start + _BATCH], lock)
            self._tell(f"removed {min(start + _BATCH, len(keys))} of {len(keys)} files")
        notes = sorted(self._survey.spent_notes(gone=self._files.keys()))
        for start in range(0, len(notes), _BATCH):
            await self._delete(notes[start : start + _BATCH], lock)

    async def _delete(self, keys: Collection[str], lock: Lock) -> None:
        await lock.check()
        await self._store.delete(keys)

    async def _remove_release(self, revision: str, lock: Lock) -> None:
        """Its names stay in a note until its files are gone, so that a later run knows them."""
        said = self._survey.manifests.pop(revision)
        note = removed_key(revision, said.text)
        await self._store.put(note, said.text, headers.of_record())
        self._survey.notes[note] = said
        await self._delete([own_key(revision)], lock)
        await self._delete([django_key(revision)], lock)
        self._tell(f"removed release {revision}")

    def told(self, *, dry_run: bool) -> Garbage:
        return Garbage(
            kept=tuple(sorted(self._kept)),
            removed=tuple(sorted(self._doomed)),
            files=len(self._files),
            bytes=sum(listing.size for listing in self._files.values()),
            names=tuple(sorted(self._files)[:_NAMED]),
            dry_run=dry_run,
        )

    def _revisions_kept(self) -> set[str]:
        releases = released_in(self._survey.listed)
        every = {released.revision for released in releases}
        wishes = self._wishes
        if wishes.keep is None and wishes.keep_newest is None:
            return every
        for revision in wishes.keep or ():
            if revision not in every:
                raise no_such_release(self._store, revision, every)
        newest = releases[max(0, len(releases) - (wishes.keep_newest or 0)) :]
        young = {released.revision for released in releases if not self._is_old(released.published)}
        return {*(wishes.keep or ()), *(released.revision for released in newest), *young}

    def _is_old(self, modified: datetime) -> bool:
        return modified <= self._survey.now - self._wishes.grace
