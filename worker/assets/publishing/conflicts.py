"""What in a store stands in the way of a release, and what is to be done about it."""

import shlex
from collections.abc import Collection, Mapping

from worker.assets.problem import AssetError, Problem, refuse
from worker.assets.publishing.published import (
    Stored,
    nested_in,
    objects_of,
    own_key,
    read_text,
    released_in,
)
from worker.assets.publishing.store import ObjectMeta, Store

#: By code, the one that has to be followed first at the top.
HINTS = {
    "name-taken": (
        "Leave it: to remove it would damage that release. Build again as that release was built,"
        " or publish to a store of its own, which has another base URL."
    ),
    "damaged-object": "Remove what is damaged from the store, then publish the same folder again.",
    "object-missing": "Publish the same folder again: what is missing is put again.",
}


def refuse_nested(store: Store, names: Collection[str], listed: Collection[str]) -> None:
    """Raises AssetError (nested-store) for files that would come into a store below this one."""
    nested = nested_in(listed)
    refuse(
        [
            Problem(
                "nested-store",
                f"{store.url}/{name} would come into a store of its own, which has releases",
                file=name,
            )
            for name in sorted(names)
            if name.startswith(nested)
        ],
        "Publish to a store that lies beside that one, or give the folder another name.",
    )


async def refuse_damaged(
    store: Store, wanted: Mapping[str, Stored], listed: Mapping[str, ObjectMeta]
) -> None:
    """Raises AssetError (damaged-object, name-taken) for objects that have another size."""
    odd = {key for key in wanted if key in listed and listed[key].size != wanted[key].size}
    if not odd:
        return
    taken: dict[str, str] = {}
    for revision, objects in (await _releases(store, listed)).items():
        taken |= {key: revision for key in odd & objects.keys() if _fits(objects[key], listed[key])}
    if taken:
        problems = [name_taken(store, key, taken[key]) for key in sorted(taken)]
        raise AssetError(problems, HINTS["name-taken"])
    problems = [
        Problem(
            "damaged-object",
            f"{store.url}/{key} has {listed[key].size} bytes, wanted {wanted[key].size}:"
            " its name says its content, so it is damaged",
            file=key,
        )
        for key in sorted(odd)
    ]
    hint = f"Remove it, then publish again: {removal(store, min(odd))}"
    raise AssetError(problems, hint)


async def owners(
    store: Store, digests: Mapping[str, str], listed: Mapping[str, ObjectMeta]
) -> dict[str, str]:
    """Of objects, by the sha256 that they have, the release that wants each just so."""
    releases = await _releases(store, listed) if digests else {}
    return {
        key: revision
        for revision, objects in releases.items()
        for key in digests.keys() & objects.keys()
        if objects[key].sha256 == digests[key]
    }


def name_taken(store: Store, key: str, revision: str) -> Problem:
    message = (
        f"{store.url}/{key} belongs to release {revision}, in which that name has other content"
    )
    return Problem("name-taken", message, file=key)


async def _releases(
    store: Store, listed: Mapping[str, ObjectMeta]
) -> dict[str, Mapping[str, Stored]]:
    """What each release in the store wants there. Raises AssetError (bad-manifest)."""
    found: dict[str, Mapping[str, Stored]] = {}
    for released in released_in(listed):
        key = own_key(released.revision)
        if (text := await store.get(key)) is not None:
            found[released.revision] = objects_of(read_text(text, f"{store.url}/{key}"))
    return found


def _fits(stored: Stored, listing: ObjectMeta) -> bool:
    return stored.size == listing.size


def removal(store: Store, key: str) -> str:
    if store.folder:
        return shlex.join(["rm", f"{store.folder}/{key}"])
    return shlex.join(["aws", "s3", "rm", f"{store.url}/{key}"])
