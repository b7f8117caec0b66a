"""Where things are in a store, and the releases that are in it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from worker.assets import manifest as manifests
from worker.assets.manifest import ENDINGS, HASH, RELEASES, Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.store import ObjectMeta, Store

#: There while garbage is collected.
LOCK = f"{RELEASES}/gc.json"

_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")
_MANIFEST = re.compile(rf"{RELEASES}/([^/]+)/{re.escape(manifests.OWN)}")
_HASHED = re.compile(rf"(?:[^/]+/)*[^/]*\.[0-9a-f]{{{HASH}}}(?:\.[^/]*)?")


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
    """Every object of a release by its key. Raises AssetError (bad-name)."""
    found: dict[str, Stored] = {}
    for asset in manifest.files.values():
        _check_name(asset.name)
        found[asset.name] = Stored(asset.name, asset.size, asset.sha256)
        for coding, copy in asset.copies.items():
            key = asset.name + ENDINGS[coding]
            found[key] = Stored(asset.name, copy.size, copy.sha256, coding)
    return found


def read_text(text: bytes, place: str) -> Manifest:
    """Raises AssetError (bad-manifest), which names the place."""
    try:
        return manifests.read(text)
    except manifests.BadManifest as error:
        raise AssetError(
            [Problem("bad-manifest", f"{place} cannot be read: {error}", file=place)],
            "Restore it from a backup, or publish that revision under another name.",
        ) from error


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


def is_hashed(key: str) -> bool:
    """Whether it looks like a file that a build made; nothing else is ever deleted."""
    return _HASHED.fullmatch(key) is not None and not key.startswith(f"{RELEASES}/")


def _check_name(name: str) -> None:
    odd = {"", ".", ".."} & set(name.split("/"))
    if odd or not is_hashed(name):
        message = f"The manifest names {name!r}, which is no hashed file below its root"
        raise AssetError([Problem("bad-name", message, file=name)], "Build it again.")
