"""The manifests: our own with everything, and Django's `staticfiles.json` with names only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

#: Their names beside the built files, and in the folder of a published release.
OWN, DJANGO = "assets.json", "staticfiles.json"
_VERSION = 1
_HASH = 12


class BadManifest(Exception):
    """The text is no manifest of ours."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A compressed copy beside the file, as its name with `.gz`, `.br` or `.zst` behind."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One immutable file."""

    #: Its hashed path, as `css/site.0123456789ab.css`.
    name: str
    size: int
    sha256: str
    #: By content coding: gzip, br, zstd.
    copies: Mapping[str, Copy] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """Immutable files by the path that templates name."""

    files: Mapping[str, Asset]

    @cached_property
    def hash(self) -> str:
        """Django's: of the names alone."""
        names = json.dumps([(path, self.files[path].name) for path in sorted(self.files)])
        return hashlib.md5(names.encode(), usedforsecurity=False).hexdigest()[:_HASH]

    def as_json(self) -> bytes:
        """Ours; the same bytes whatever order the files came in."""
        files = {path: asdict(self.files[path]) for path in sorted(self.files)}
        document = {"version": _VERSION, "hash": self.hash, "files": files}
        return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"

    def as_django(self) -> bytes:
        """`staticfiles.json` 1.1, byte for byte as Django 6.1 writes it."""
        paths = {path: self.files[path].name for path in sorted(self.files)}
        return json.dumps({"paths": paths, "version": "1.1", "hash": self.hash}).encode()


def read(text: bytes) -> Manifest:
    """Raises BadManifest."""
    try:
        document: dict[str, Any] = json.loads(text)
        if document["version"] != _VERSION:
            raise BadManifest(f"version {document['version']}; this program reads {_VERSION}")
        return Manifest({path: _asset(told) for path, told in document["files"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadManifest(f"not a manifest of asset releases: {error}") from error


def _asset(told: dict[str, Any]) -> Asset:
    copies = {coding: Copy(**copy) for coding, copy in told["copies"].items()}
    return Asset(told["name"], told["size"], told["sha256"], copies)
