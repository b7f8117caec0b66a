"""Where things are in a store, and the releases that are in it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from worker.assets import manifest as manifests
from worker.assets.manifest import ENDINGS, RELEASES, Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.store import ObjectMeta, Store

#: There while garbage is collected.
LOCK = f"{RELEASES}/gc.json"

_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")
_MANIFEST = re.compile(rf"{RELEASES}/([^/]+)/{re.escape(manifests.OWN)}")
_NESTED = re.compile(rf"(.+?/){RELEASES}/")
_RESTORE = "Restore it from a backup, or publish that revision under another name."


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that belongs to a file: the file itself, or a compressed copy."""

    #: The file's hashed name.
    name: str
    size: int
    sha256: str
    #: Of a copy.
    coding: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """A published release; the time is the store's clock."""

    revision: str
    published: datetime


def own_key(revision: str) -> str:
    return f"{RELEASES}/{revision}/{manifests.OWN}"


def django_key(revision: str) -> str:
    return f"{RELEASES}/{revision}/{manifests.DJANGO}"


def check_revision(revision: str) -> None:
    """Raises AssetError (bad-revision)."""
    if _REVISION.fullmatch(revision) and not revision.endswith(".json"):
        return
    message = (
        f"{revision!r} cannot name a release: letters, digits and . _ - are wanted, 120 at most"
    )
    raise AssetError([Problem("bad-revision", message)], "Give the commit, or a version as 1.4.2.")


def objects_of(manifest: Manifest) -> dict[str, Stored]:
    """Every object of a release by its key."""
    found: dict[str, Stored] = {}
    for asset in manifest.files.values():
        found[asset.name] = Stored(asset.name, asset.size, asset.sha256)
        for coding, copy in asset.copies.items():
            key = asset.name + ENDINGS[coding]
            found[key] = Stored(asset.name, copy.size, copy.sha256, coding)
    return found


def read_text(text: bytes, place: str, *, hint: str = _RESTORE) -> Manifest:
    """Raises AssetError (bad-manifest), which names the place."""
    try:
        return manifests.read(text)
    except manifests.BadManifest as error:
        problem = Problem("bad-manifest", f"{place} cannot be read: {error}", file=place)
        raise AssetError([problem], hint) from error


async def read_manifest(store: Store, revision: str) -> Manifest:
    """The manifest of a published release. Raises AssetError (no-such-release, bad-manifest)."""
    check_revision(revision)
    text = await store.get(own_key(revision))
    if text is None:
        known = [released.revision for released in await list_revisions(store)]
        raise no_such_release(store, revision, known)
    return read_text(text, f"{store.url}/{own_key(revision)}")


async def list_revisions(store: Store) -> tuple[Released, ...]:
    """Every published release, the newest last."""
    return released_in(await store.list(RELEASES))


def released_in(listed: Mapping[str, ObjectMeta]) -> tuple[Released, ...]:
    found = [
        Released(match.group(1), listing.modified)
        for key, listing in listed.items()
        if (match := _MANIFEST.fullmatch(key))
    ]
    return tuple(sorted(found, key=lambda released: (released.published, released.revision)))


def no_such_release(store: Store, revision: str, known: Collection[str]) -> AssetError:
    nearest = tuple(get_close_matches(revision, known))
    message = f"{store.url} has no release {revision}"
    hint = f"See what is there: python -m worker.assets releases {store.url}"
    return AssetError([Problem("no-such-release", message, nearest=nearest)], hint)


def nested_in(listed: Collection[str]) -> tuple[str, ...]:
    """Folders, with a final `/`, that are stores of their own: what is below them is theirs."""
    found = {(match.group(1), key) for key in listed if (match := _NESTED.match(key))}
    # A folder of that name in a tree of static files makes no store.
    return tuple(sorted({folder for folder, key in found if not manifests.is_hashed(key)}))
