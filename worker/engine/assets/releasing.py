"""Asset releases, step by step: files of the host become an immutable, published, proven set."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.domain.asset_release import AssetPlace, release_name
from worker.assets.manifest import DJANGO
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.publish import Published, publish
from worker.assets.publishing.published import read_manifest
from worker.assets.publishing.store import Store, open_store
from worker.assets.publishing.verifying import verify
from worker.engine.asset_build import Build, Crashed, Refused
from worker.engine.asset_cache import AssetCache
from worker.engine.asset_failures import crashed, refused, unpublished, unverified
from worker.engine.context import Context
from worker.remote.host import Listed, Listing
from worker.remote.host import Output as Hear
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.step import Note

_MEGA = 1_000_000
#: Lines about files that are left out.
_SHOWN = 20


@dataclass(frozen=True)
class Releasing:
    """Each may be repeated by another worker: what is done already is found done."""

    context: Context
    show: Hear

    async def do(self, action: ReleaseAssets | PlaceManifest | VerifyAssets) -> None:
        """Raises Failed and RemoteError."""
        release = release_name(self.context.facts["commit"], action.number)
        try:
            match action:
                case ReleaseAssets():
                    await self._release(action, release)
                case PlaceManifest():
                    await self._place(action, release)
                case VerifyAssets():
                    await self._verify(action, release)
        except AssetError as error:
            raise unpublished(action.place.store, error) from error

    @property
    def _cache(self) -> AssetCache:
        if self.context.assets_cache is None:
            raise ValueError("This worker has no folder for the contents of files.")
        return AssetCache(self.context.assets_cache)

    async def _release(self, wanted: ReleaseAssets, release: str) -> None:
        cache = self._cache
        host, fence = self.context.host, self.context.fence
        listing = await host.list_files(wanted.tree, within=wanted.release_dir, fence=fence)
        try:
            await self._fetch(cache, wanted.tree, listing)
            async with _room(cache) as room:
                await asyncio.to_thread(cache.lay_out, listing.files, room / "tree")
                build = Build(wanted.static, wanted.place.base_url, room / "tree", room / "out")
                await self._publish(build, wanted.place, release, listing)
        except OSError as error:
            raise crashed(f"{cache.objects.parent} on the worker: {error}") from error
        with contextlib.suppress(OSError):  # the release is made, whatever becomes of the cache
            await asyncio.to_thread(cache.shrink)

    async def _fetch(self, cache: AssetCache, tree: str, listing: Listing) -> None:
        lacking = await asyncio.to_thread(cache.lacking, listing.files)
        await self.context.host.fetch(tree, lacking, cache.objects, self.context.fence)
        known = len(listing.files) - len(lacking)
        text = f"fetched {_counted(lacking)} of {len(listing.files):,} files, {known:,} known\n"
        left = [f"left out: {sentence}\n" for sentence in listing.left_out[:_SHOWN]]
        if (more := len(listing.left_out) - len(left)) > 0:
            left.append(f"left out: {more:,} more\n")
        await self.show("".join([text, *left]))

    async def _publish(
        self, build: Build, place: AssetPlace, release: str, listing: Listing
    ) -> None:
        left_out = [Problem("left-out", sentence).as_json() for sentence in listing.left_out]
        report: dict[str, Any] = {"release": release, "base_url": place.base_url}
        try:
            built = await build.run(self.show)
            report |= _told(built, left_out)
            published = await self._put(build.out, place, release)
        except Refused as error:
            await self._note_failed(report, error.problems)
            raise refused(error.problems, error.hint) from error
        except Crashed as error:
            await self._note_failed(report, [Problem("build-crashed", str(error)).as_json()])
            raise crashed(str(error)) from error
        except AssetError as error:
            await self._note_failed(report, [problem.as_json() for problem in error.problems])
            raise
        report |= _counts(published)
        report["manifest_url"] = place.base_url + published.manifest_key
        await self._note("asset-release.published", report)

    async def _put(self, out: Path, place: AssetPlace, release: str) -> Published:
        store = await _opened(place)
        async with _telling(self.show) as tell:
            published = await publish(out, store, release, tell=tell)
        size = f"{published.new_bytes / _MEGA:.1f} of {published.bytes / _MEGA:.1f} MB"
        new = f"{published.new:,} new of {published.files:,} files"
        await self.show(f"published {new} ({size}) as {release}\n")
        return published

    async def _place(self, wanted: PlaceManifest, release: str) -> None:
        manifest = await read_manifest(await _opened(wanted.place), release)
        async with _room(self._cache) as room:
            file = room / DJANGO
            await asyncio.to_thread(file.write_bytes, manifest.as_django())
            # The release folder is new: nothing that runs reads it yet.
            await self.context.host.send(file, wanted.to, self.context.fence)
        await self.show(f"put the names of {len(manifest.files):,} files at {wanted.to}\n")

    async def _verify(self, wanted: VerifyAssets, release: str) -> None:
        manifest = await read_manifest(await _opened(wanted.place), release)
        async with _telling(self.show) as tell:
            problems = await verify(manifest, wanted.place.base_url, tell=tell)
        if problems:
            raise unverified(wanted.place.base_url, problems)
        await self.show(f"{len(manifest.files):,} files answer at {wanted.place.base_url}\n")
        await self._note("asset-release.verified", {"release": release})

    async def _note_failed(
        self, report: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]
    ) -> None:
        await self._note("asset-release.failed", {**report, "errors": [*errors]})

    async def _note(self, what: str, data: Mapping[str, Any]) -> None:
        await self.context.journal.note(Note(what, data), self.context.facts)


def _told(built: Mapping[str, Any], left_out: list[dict[str, Any]]) -> dict[str, Any]:
    counted = {name: built[name] for name in ("files", "bytes", "copies", "hash")}
    return {**counted, "warnings": [*left_out, *built["warnings"]], "errors": []}


def _counts(published: Published) -> dict[str, Any]:
    return {
        "new": published.new,
        "new_bytes": published.new_bytes,
        "reused": published.reused,
    }


def _counted(files: Sequence[Listed]) -> str:
    return f"{len(files):,} ({sum(file.size for file in files) / _MEGA:.1f} MB)"


async def _opened(place: AssetPlace) -> Store:
    return await asyncio.to_thread(open_store, place.store)


@contextlib.asynccontextmanager
async def _room(cache: AssetCache) -> AsyncIterator[Path]:
    room = await asyncio.to_thread(cache.make_room)
    try:
        yield room
    finally:
        await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)


@contextlib.asynccontextmanager
async def _telling(show: Hear) -> AsyncIterator[Callable[[str], None]]:
    """Takes lines from code that does not wait, and shows them in their order."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def tell(line: str | None) -> None:
        loop.call_soon_threadsafe(lines.put_nowait, line)

    async def pass_on() -> None:
        while (line := await lines.get()) is not None:
            await show(f"{line}\n")

    passing = asyncio.create_task(pass_on())
    try:
        yield tell
        tell(None)
        await passing
    finally:
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
