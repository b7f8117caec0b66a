"""A built folder as it is read for publishing: what its manifest names, and nothing else."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from worker.assets.manifest import OWN, Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.published import Stored, objects_of, read_text
from worker.assets.tree import disk_name

_HINT = "Build it again, into a new folder, and publish that."


@dataclass(frozen=True)
class BuiltFolder:
    root: Path
    #: The manifest, as it will stand in the store.
    text: bytes
    manifest: Manifest
    objects: dict[str, Stored]


def read_built(root: Path) -> BuiltFolder:
    """Blocks. Raises AssetError: not-built, file-missing or file-altered, one for each file."""
    try:
        text = (root / OWN).read_bytes()
    except OSError as error:
        message = f"{root} is no built folder: {OWN}: {error.strerror}"
        hint = f"Build it: python -m worker.assets build SRC {root}"
        raise AssetError([Problem("not-built", message, file=OWN)], hint) from error
    manifest = read_text(text, str(root / OWN), hint=_HINT)
    objects = objects_of(manifest)
    checked = [_problem(root, key, wanted) for key, wanted in objects.items()]
    problems = [problem for problem in checked if problem]
    if problems:
        raise AssetError(problems, _HINT)
    return BuiltFolder(root, text, manifest, objects)


def altered(root: Path, key: str, digest: str, wanted: Stored) -> AssetError:
    message = (
        f"{root / key} has changed since it was built: sha256 {digest}, wanted {wanted.sha256}"
    )
    return AssetError([Problem("file-altered", message, file=key)], _HINT)


def read_checked(root: Path, key: str, wanted: Stored) -> bytes:
    """A small file. Blocks; raises AssetError (file-altered)."""
    content = (root / disk_name(key)).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted.sha256:
        raise altered(root, key, digest, wanted)
    return content


def _problem(root: Path, key: str, wanted: Stored) -> Problem | None:
    try:
        size = os.stat(f"{root}/{disk_name(key)}").st_size  # noqa: PTH116 - five times as quick
    except OSError as error:
        return Problem("file-missing", f"{root / key}: {error.strerror}", file=key)
    if size == wanted.size:
        return None
    message = f"{root / key} has {size} bytes; its manifest wants {wanted.size}"
    return Problem("file-altered", message, file=key)
