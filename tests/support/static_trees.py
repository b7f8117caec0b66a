"""Little trees of static files, and what a build makes of them."""

from pathlib import Path

import pytest

from worker.assets.building.build import build
from worker.assets.building.options import Options
from worker.assets.manifest import RECORD
from worker.assets.problem import AssetError


def write_tree(folder, files):
    """Texts and bytes by path; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read_tree(folder):
    """The bytes of every file but the record of the build, by path."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file() and file.name != RECORD
    }


def build_tree(folder, files, **options):
    """Build `files` in `folder/out`; one process, because little trees need no more."""
    source = write_tree(folder / "source", files)
    return build([source], folder / "out", Options(**{"jobs": 1, **options}))


def refused(folder, files, **options):
    """The error of a build that must not come about."""
    with pytest.raises(AssetError) as caught:
        build_tree(folder, files, **options)
    assert not (folder / "out").exists()
    return caught.value


def hashed(built, path):
    """The hashed copy's bytes."""
    return (built.directory / built.manifest.files[path].name).read_bytes()
