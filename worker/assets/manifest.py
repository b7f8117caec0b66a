"""The manifests: our own with everything, and Django's `staticfiles.json` with names only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

#: Their names beside the built files, and in the folder of a published release.
OWN, DJANGO = "assets.json", "staticfiles.json"
#: The folder of all published releases in a store.
RELEASES = "_releases"
#: Hex digits of the MD5 that stand in a hashed name; as many make the hash of a manifest.
HASH = 12
#: By content coding, what the name of a compressed copy ends in.
ENDINGS = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}
_VERSION = 1


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

    def as_json(self) -> dict[str, Any]:
        copies = {
            coding: {"size": copy.size, "sha256": copy.sha256}
            for coding, copy in sorted(self.copies.items())
        }
        return {"name": self.name, "size": self.size, "sha256": self.sha256, "copies": copies}


@dataclass(frozen=True)
class Manifest:
    """Immutable files by the path that templates name."""

    files: Mapping[str, Asset]

    @cached_property
    def hash(self) -> str:
        """Django's: of the names alone."""
        names = json.dumps([(path, self.files[path].name) for path in sorted(self.files)])
        return hashlib.md5(names.encode(), usedforsecurity=False).hexdigest()[:HASH]

    def as_json(self) -> bytes:
        """Ours; the same bytes whatever order the files came in."""
        # One line for each file: the encoder is several times slower when it indents itself.
        lines = [
            f"{_text(path)}: {_text(self.files[path].as_json())}" for path in sorted(self.files)
        ]
        files = ",\n".join(lines)
        return (
            f'{{"version": {_VERSION}, "hash": "{self.hash}", "files": {{\n{files}\n}}}}\n'
        ).encode()

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


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
