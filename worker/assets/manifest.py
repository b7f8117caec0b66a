"""The manifests: our own with everything, and Django's `staticfiles.json` with names only."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

#: Their names beside the built files, and in the folder of a published release.
OWN, DJANGO = "assets.json", "staticfiles.json"
#: Beside them in the output of a build: what it was made of.
RECORD = ".build.json"
#: What a build writes that no source has.
MADE = frozenset({OWN, DJANGO, RECORD})
#: The folder of all published releases in a store.
RELEASES = "_releases"
#: Hex digits of the MD5 that stand in a hashed name; as many make the hash of a manifest.
HASH = 12
#: By content coding, what the name of a compressed copy ends in.
ENDINGS = {"gzip": ".gz", "br": ".br", "zstd": ".zst"}
_VERSION = 1
#: What no key of a store and no path on a disk can hold.
_IMPOSSIBLE = r"\0\ud800-\udfff"
_TEXT = re.compile(rf"[^{_IMPOSSIBLE}]*")
#: The path of a file that a build made: below its root, and with its hash.
_HASHED = re.compile(
    rf"(?!{RELEASES}/)(?:(?!\.\.?/)[^/{_IMPOSSIBLE}]+/)*"
    rf"[^/{_IMPOSSIBLE}]*\.[0-9a-f]{{{HASH}}}(?:\.[^/{_IMPOSSIBLE}]*)?"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


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


def is_reserved(path: str) -> bool:
    """Whether a build writes a file of its own there, or in the place of a folder above."""
    return path.partition("/")[0] in MADE


def is_hashed(name: str) -> bool:
    """Whether a build may have given a file this name; nothing else is published or deleted."""
    return _HASHED.fullmatch(name) is not None


def read(text: bytes) -> Manifest:
    """Raises BadManifest, also for names that lead out of the root and for what is no size."""
    try:
        document: dict[str, Any] = json.loads(text)
        if document["version"] != _VERSION:
            raise BadManifest(f"version {document['version']}; this program reads {_VERSION}")
        return Manifest({path: _asset(path, told) for path, told in document["files"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadManifest(f"not a manifest of asset releases: {error!r}") from error


def _asset(path: str, told: dict[str, Any]) -> Asset:
    name, copies = told["name"], told["copies"]
    if not _TEXT.fullmatch(path):
        raise BadManifest(f"{path!r} is no path")
    if not is_hashed(name):
        raise BadManifest(f"it names {name!r}, which is no hashed file below its root")
    if unknown := copies.keys() - ENDINGS.keys():
        raise BadManifest(f"{name!r} has copies in {sorted(unknown)}; there are {list(ENDINGS)}")
    size, sha256 = _content(name, told)
    found = {coding: Copy(*_content(name, copy)) for coding, copy in copies.items()}
    return Asset(name, size, sha256, found)


def _content(name: str, told: dict[str, Any]) -> tuple[int, str]:
    size, sha256 = told["size"], told["sha256"]
    if type(size) is not int or size < 0 or not _SHA256.fullmatch(sha256):
        raise BadManifest(f"{name!r} has no size in bytes, or no sha256 in hex digits")
    return size, sha256


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
