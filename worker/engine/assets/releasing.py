"""Asset releases, step by step: files of the host become an immutable, published, proven set."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.domain.asset_release import AssetPlace, release_name
from worker.assets.building.report import MOST_TOLD
from worker.assets.manifest import DJANGO
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import read_manifest
from worker.assets.publishing.store import Store, open_store
from worker.assets.publishing.verifying import verify
from worker.engine.assets.apart import apart
from worker.engine.assets.build import Build, Crashed, Refused
from worker.engine.assets.cache import AssetCache
from worker.engine.assets.damage import damage_of
from worker.engine.assets.failures import Failures
from worker.engine.assets.problems import Problems, of_error, of_problems
from worker.engine.assets.selecting import select
from worker.engine.assets.telling import fetched, published, telling
from worker.engine.context import Context
from worker.remote.errors import FolderOutside
from worker.remote.host import Listing
from worker.remote.host import Output as Hear
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.step import Note


@dataclass(frozen=True)
class Releasing:
    """Each may be repeated by another worker: what is done already is found done."""

    context: Context
    show: Hear

    async def do(self, action: ReleaseAssets | PlaceManifest | VerifyAssets) -> None:
        """Raises Failed and RemoteError."""
        release = release_name(self.context.facts["commit"], action.number, action.app_server)
        failures = Failures(action.place, release)
        try:
            match action:
                case ReleaseAssets():
                    await self._release(action, release)
                case PlaceManifest():
                    await self._place(action, release)
                case VerifyAssets():
                    await self._verify(action, failures)
        except (Refused, Crashed, AssetError) as error:
            raise failures.of(error) from error

    @property
    def _cache(self) -> AssetCache:
        if self.context.assets_cache is None:
            raise ValueError("This worker has no folder for the contents of files.")
        return AssetCache(self.context.assets_cache)

    async def _release(self, wanted: ReleaseAssets, release: str) -> None:
        report: dict[str, Any] = {"release": release, "base_url": wanted.place.base_url}
        try:
            await self._make(wanted, release, report)
        except (Refused, Crashed, AssetError) as error:
            await self._note_failed(report, of_error(error))
            raise
        await self._note("asset-release.published", report)

    async def _make(self, wanted: ReleaseAssets, release: str, report: dict[str, Any]) -> None:
        """Adds to the report what is known."""
        cache = self._cache
        listing = await self._fetch(cache, wanted)
        async with _room(cache) as room:
            with _disk(cache):
                await asyncio.to_thread(cache.lay_out, listing.files, room / "tree")
            build = Build(wanted.static, wanted.place.base_url, room / "tree", room / "out")
            report |= _told(await build.run(self.show), listing.left_out)
            report |= await self._put(build.out, wanted.place, release)
        with contextlib.suppress(OSError):  # the release is made, whatever becomes of the cache
            await asyncio.to_thread(cache.shrink)

    async def _fetch(self, cache: AssetCache, wanted: ReleaseAssets) -> Listing:
        """What there is, with its contents in the cache from now on."""
        host, fence = self.context.host, self.context.fence
        found = await host.list_files(
            wanted.tree, within=wanted.release_dir, fence=fence, show=self.show
        )
        listing = await asyncio.to_thread(select, found, wanted.static.ignore)
        with _disk(cache):
            lacking = await asyncio.to_thread(cache.lacking, listing.files)
            await host.fetch(wanted.tree, lacking, cache.objects, fence)
        await self.show(fetched(lacking, listing))
        return listing

    async def _put(self, out: Path, place: AssetPlace, release: str) -> dict[str, Any]:
        """What the report says of it."""
        store = await _opened(place)
        async with telling(self.show) as tell:
            found = await publish(out, store, release, tell=tell)
        await self.show(published(found, release))
        return {
            "new": found.new,
            "new_bytes": found.new_bytes,
            "reused": found.reused,
            "manifest_url": place.base_url + found.manifest_key,
        }

    async def _place(self, wanted: PlaceManifest, release: str) -> None:
        manifest = await read_manifest(await _opened(wanted.place), release)
        async with _room(self._cache) as room:
            file = room / DJANGO
            with _disk(self._cache):
                await asyncio.to_thread(file.write_bytes, manifest.as_django())
            # The release folder is new: nothing that runs reads it yet. What links lead to may be.
            host, fence = self.context.host, self.context.fence
            try:
                await host.send(file, wanted.to, fence, within=wanted.release_dir)
            except FolderOutside as error:
                raise Refused([Problem("manifest-outside", error.detail).as_json()]) from error
        await self.show(f"put the names of {len(manifest.files):,} files at {wanted.to}\n")

    async def _verify(self, wanted: VerifyAssets, failures: Failures) -> None:
        place, release = wanted.place, failures.release
        store = await _opened(place)
        manifest = await read_manifest(store, release)
        async with telling(self.show) as tell:
            problems = await apart(lambda: verify(manifest, place.base_url, tell=tell))
        if problems:
            told = {"release": release, "base_url": place.base_url}
            await self._note_failed(told, of_problems(problems))
            raise failures.unverified(problems, await damage_of(problems, manifest, store))
        await self.show(f"{len(manifest.files):,} files answer at {place.base_url}\n")
        await self._note("asset-release.verified", {"release": release})

    async def _note_failed(self, report: Mapping[str, Any], errors: Problems) -> None:
        told = {"errors": [*errors.first], "errors_total": errors.total}
        await self._note("asset-release.failed", {**report, **told})

    async def _note(self, what: str, data: Mapping[str, Any]) -> None:
        await self.context.journal.note(Note(what, data), self.context.facts)


def _told(built: Mapping[str, Any], left_out: Sequence[str]) -> dict[str, Any]:
    counted = {name: built[name] for name in ("files", "bytes", "copies", "hash")}
    warnings = [Problem("left-out", sentence).as_json() for sentence in left_out[:MOST_TOLD]]
    total = len(left_out) + int(built["warnings_total"])
    warnings = [*warnings, *built["warnings"]][:MOST_TOLD]
    return {**counted, "warnings": warnings, "warnings_total": total, "errors": []}


async def _opened(place: AssetPlace) -> Store:
    return await asyncio.to_thread(open_store, place.store)


@contextlib.contextmanager
def _disk(cache: AssetCache) -> Iterator[None]:
    """Raises Crashed for what the disk of this machine refuses."""
    try:
        yield
    except OSError as error:
        raise Crashed(f"{cache.objects.parent} on the worker: {error}") from error


@contextlib.asynccontextmanager
async def _room(cache: AssetCache) -> AsyncIterator[Path]:
    with _disk(cache):
        room = await asyncio.to_thread(cache.make_room)
    try:
        yield room.path
    finally:
        await asyncio.to_thread(room.leave)
