"""Built folders for tests of publishing, as a build leaves them."""

import gzip
import hashlib
from collections.abc import Mapping
from pathlib import Path

from worker.assets.manifest import DJANGO, OWN, Asset, Copy, Manifest


def write_built(root: Path, files: Mapping[str, bytes], *, copies: bool = False) -> Manifest:
    """Files by logical path; with gzip copies of all of them if wanted."""
    assets = {path: _write(root, path, content, copies=copies) for path, content in files.items()}
    manifest = Manifest(assets)
    (root / OWN).write_bytes(manifest.as_json())
    (root / DJANGO).write_bytes(manifest.as_django())
    return manifest


def hashed(path: str, content: bytes) -> str:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()[:12]
    name = Path(path)
    return str(name.with_name(f"{name.stem}.{digest}{name.suffix}"))


def _write(root: Path, path: str, content: bytes, *, copies: bool) -> Asset:
    name = hashed(path, content)
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    found = {}
    if copies:
        packed = gzip.compress(content, mtime=0)
        (root / f"{name}.gz").write_bytes(packed)
        found["gzip"] = Copy(len(packed), hashlib.sha256(packed).hexdigest())
    return Asset(name, len(content), hashlib.sha256(content).hexdigest(), found)
