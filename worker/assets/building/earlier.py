"""The build that lies in the output: whether it is one, and whether another would be the same."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from worker.assets.building.hashing import Digest
from worker.assets.building.record import Record
from worker.assets.manifest import DJANGO, ENDINGS, OWN, RECORD, Manifest, read
from worker.assets.tree import Tree, disk_name, folders_of

_FOLDER = -1


@dataclass(frozen=True)
class Earlier:
    """Looked at once: walking the folder costs a part of what a build does."""

    out: Path
    made: Manifest
    #: None: it is not known what it was made of.
    record: Record | None
    #: Of everything in there, by path with a `/` before it.
    sizes: Mapping[str, int]

    @classmethod
    def read(cls, out: Path) -> Self:
        """Raises OSError and BadManifest."""
        text = (out / OWN).read_bytes()
        record = Record.read(_content(out / RECORD), manifest=text)
        return cls(out, read(text), record, _sizes(out))

    @property
    def strangers(self) -> list[str]:
        """What lies there and is no part of a build with this manifest, sorted."""
        originals = {f"/{disk_name(path)}" for path in self.made.files}
        return sorted(self.sizes.keys() - self._own.keys() - originals)

    def is_of(self, tree: Tree, found: Mapping[str, Digest], *, has_originals: bool) -> bool:
        """Whether it was made of these files, and has the same texts where no name tells it."""
        record = self.record
        return (
            record is not None
            and record.tells_of(self.made, found)
            and all(
                self._has_text(record, path, tree.files[path], has_original=has_originals)
                for path in record.rewritten.keys() & tree.files.keys()
            )
        )

    def _has_text(self, record: Record, path: str, file: str, *, has_original: bool) -> bool:
        content = Path(file).read_bytes()
        original = (self.out / disk_name(path)).read_bytes() if has_original else content
        return content == original and record.is_text(path, content)

    def has_all(self, *, originals: Mapping[str, Digest]) -> bool:
        """Whether exactly the files of the manifest and these lie there, with their sizes."""
        plain = {f"/{disk_name(path)}": digest.size for path, digest in originals.items()}
        return self.sizes == {**plain, **self._own}

    @cached_property
    def _own(self) -> dict[str, int]:
        """Everything but originals, with its size."""
        own = {f"/{disk_name(name)}": size for name, size in _files(self.made)}
        own |= {f"/{disk_name(folder)}": _FOLDER for folder in folders_of(self.made.files)}
        own[f"/{DJANGO}"] = len(self.made.as_django())
        known = {f"/{name}" for name in (OWN, RECORD)} & self.sizes.keys()
        return {**own, **{name: self.sizes[name] for name in known}}


def _files(made: Manifest) -> Iterator[tuple[str, int]]:
    for asset in made.files.values():
        yield asset.name, asset.size
        for coding, copy in asset.copies.items():
            yield asset.name + ENDINGS[coding], copy.size


def _content(file: Path) -> bytes:
    """Nothing of what is no file, or cannot be read: what lies there may be anybody's."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(opened, "rb") as content:
        return content.read() if stat.S_ISREG(os.fstat(opened).st_mode) else b""


def _sizes(folder: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    start = len(os.fspath(folder))
    todo = [os.fspath(folder)]
    while todo:
        with os.scandir(todo.pop()) as listing:
            for entry in listing:
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder:
                    todo.append(entry.path)
                size = _FOLDER if is_folder else entry.stat(follow_symlinks=False).st_size
                sizes[entry.path[start:]] = size
    return sizes
