"""Read every object of a release back from its store and compare the bytes."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping

from worker.assets.manifest import Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.conflicts import name_taken, owners
from worker.assets.publishing.published import Stored, objects_of
from worker.assets.publishing.store import ObjectMeta, Store

_TOLD = 10


async def inspect(
    manifest: Manifest, store: Store, *, at_once: int = 16, tell: Callable[[str], None]
) -> list[Problem]:
    """What is wrong, in the order of the keys; compressed copies count as objects of their own.

    An object with other bytes is damaged (damaged-object), or that of another release, which
    wants just those (name-taken). Raises AssetError.
    """
    objects = objects_of(manifest)
    listed = await store.list()
    found: dict[str, Problem | None] = {}
    digests: dict[str, str] = {}
    waiting = iter(sorted(objects))

    async def work(waiting: Iterator[str]) -> None:
        for key in waiting:
            found[key] = await _look(store, key, objects[key], listed, digests)
            if len(found) % max(1, len(objects) // _TOLD) == 0:
                tell(f"read {len(found)} of {len(objects)} objects")

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(objects))):
            group.create_task(work(waiting))
    taken = await owners(store, digests, listed)
    found |= {key: name_taken(store, key, revision) for key, revision in taken.items()}
    return [problem for key in sorted(found) if (problem := found[key])]


async def _look(
    store: Store,
    key: str,
    wanted: Stored,
    listed: Mapping[str, ObjectMeta],
    digests: dict[str, str],
) -> Problem | None:
    """The digest of an object that is not as wanted is added to `digests`."""
    if key not in listed:
        return Problem("object-missing", f"{store.url}/{key} is not there", file=key)
    digest = hashlib.sha256()
    try:
        async for piece in store.pieces(key):
            digest.update(piece)
    except FileNotFoundError:
        return Problem("object-missing", f"{store.url}/{key} has just been removed", file=key)
    except AssetError as error:
        return error.problems[0]
    if digest.hexdigest() == wanted.sha256:
        return None
    digests[key] = digest.hexdigest()
    message = f"{store.url}/{key}: sha256 {digest.hexdigest()}, wanted {wanted.sha256}"
    return Problem("damaged-object", message, file=key)
