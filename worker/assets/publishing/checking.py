"""Compare a published release with its manifest, in its store or where browsers find it."""

import asyncio
from collections.abc import Callable, Collection

import httpx

from worker.assets.manifest import Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.inspecting import inspect
from worker.assets.publishing.published import check_revision, own_key, read_manifest, read_text
from worker.assets.publishing.store import open_store
from worker.assets.publishing.verifying import verify

_HTTP = ("http://", "https://")
_OK, _PATIENCE = 200, 30.0
#: By code, the one that has to be followed first at the top.
_HINTS = {
    "bad-base-url": "Give the URL below which browsers find them, as https://static.example/shop/.",
    "damaged-object": "Remove what is damaged from the store, then publish the same folder again.",
    "object-missing": "Publish the same folder again: what is missing is put again.",
}
_SERVING = "Correct what the server or the CDN sends; what is in the store, `verify STORE` tells."


async def check(
    place: str,
    revision: str,
    *,
    base_url: str | None = None,
    tell: Callable[[str], None],
) -> tuple[Manifest, list[Problem]]:
    """`place` is the URL of a store, or a base URL where the manifest is served too.

    With a base URL the files are asked for there. Raises AssetError without a manifest.
    """
    check_revision(revision)
    if place.startswith(_HTTP):
        manifest = await _fetch(f"{place.rstrip('/')}/{own_key(revision)}")
        return manifest, await verify(manifest, base_url or place, tell=tell)
    store = await asyncio.to_thread(open_store, place, make=False)
    manifest = await read_manifest(store, revision)
    if base_url:
        return manifest, await verify(manifest, base_url, tell=tell)
    return manifest, await inspect(manifest, store, tell=tell)


def hint_of(problems: Collection[Problem]) -> str:
    """What to do about what a check has found."""
    codes = {problem.code for problem in problems}
    return next((hint for code, hint in _HINTS.items() if code in codes), _SERVING)


async def _fetch(url: str) -> Manifest:
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE) as client:
            answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = str(error) or type(error).__name__
        raise AssetError([Problem("not-served", f"{url} failed: {said}")]) from error
    if answer.status_code != _OK:
        message = f"{url} answered {answer.status_code}, wanted 200"
        raise AssetError([Problem("not-served", message)], "Check the URL and the revision.")
    return read_text(answer.content, url)
