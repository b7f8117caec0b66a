"""Compare a published release with its manifest, in its store or where browsers find it."""

import asyncio
from collections.abc import Callable, Collection

import httpx

from worker.assets.manifest import Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.conflicts import HINTS
from worker.assets.publishing.inspecting import inspect
from worker.assets.publishing.published import check_revision, own_key, read_manifest, read_text
from worker.assets.publishing.store import open_store
from worker.assets.publishing.verifying import verify
from worker.assets.store_url import page_problem

_HTTP = ("http://", "https://")
_OK, _PATIENCE = 200, 30.0
#: Of a whole manifest: seconds, and bytes, which are those of a few hundred thousand files.
_LONGEST, _LARGEST = 300.0, 64 * 2**20
_ASKED = "Give the URL below which browsers find them, as https://static.example/shop/."
_HINTS = {"bad-base-url": _ASKED, **HINTS}
_SERVING = "Correct what the server or the CDN sends; what is in the store, `verify STORE` tells."


async def check(
    place: str,
    revision: str,
    *,
    base_url: str | None = None,
    tell: Callable[[str], None],
) -> tuple[Manifest, list[Problem]]:
    """`place` is the URL of a store, or a base URL where the manifest is served too.

    With a base URL the files are asked for there. Raises AssetError (bad-base-url, not-served,
    no-such-release, bad-manifest) without a manifest.
    """
    check_revision(revision)
    if place.lower().startswith(_HTTP):
        if problem := page_problem(place):
            # The URL itself is not repeated: it may hold a secret.
            raise AssetError([Problem("bad-base-url", f"The URL {problem}")], _ASKED)
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
        async with asyncio.timeout(_LONGEST), httpx.AsyncClient(timeout=_PATIENCE) as client:
            text = await _text(client, url)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        said = str(error) or type(error).__name__
        raise AssetError([Problem("not-served", f"{url} failed: {said}")]) from error
    return read_text(text, url)


async def _text(client: httpx.AsyncClient, url: str) -> bytes:
    """Raises AssetError: a server may send what is no manifest, and without end."""
    asked = {"Accept-Encoding": "identity"}
    async with client.stream("GET", url, headers=asked, follow_redirects=False) as answer:
        if answer.status_code != _OK:
            raise _not_served(f"{url} answered {answer.status_code}, wanted 200")
        # A small packed answer may unpack to more than there is memory.
        if (coding := answer.headers.get("content-encoding", "identity")) != "identity":
            raise _not_served(f"{url} was sent as {coding}, wanted as it is")
        text = bytearray()
        async for piece in answer.aiter_bytes():
            text += piece
            if len(text) > _LARGEST:
                raise _not_served(f"{url} has more than {_LARGEST} bytes: it is no manifest")
    return bytes(text)


def _not_served(message: str) -> AssetError:
    return AssetError([Problem("not-served", message)], "Check the URL and the revision.")
