"""The build that lies in the output: whether it is one, and whether another would be the same."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from worker.assets.building.intake import Taken
from worker.assets.manifest import DJANGO, ENDINGS, OWN, Asset, Manifest, read
from worker.assets.tree import Tree, disk_name, parents_of

_FOLDER = -1


@dataclass(frozen=True)
class Earlier:
    """Looked at once: walking the folder costs a part of what a build does."""

    out: Path
    made: Manifest
    #: Of everything in there, by path with a `/` before it.
    sizes: Mapping[str, int]

    @classmethod
    def read(cls, out: Path) -> Self:
        """Raises OSError and BadManifest."""
        return cls(out, read((out / OWN).read_bytes()), _sizes(out))

    @property
    def strangers(self) -> list[str]:
        """What lies there and is no part of a build with this manifest, sorted."""
        originals = {f"/{disk_name(path)}" for path in self.made.files}
        return sorted(self.sizes.keys() - self._own.keys() - originals)

    def agrees(self, assets: Mapping[str, Asset], codings: Iterable[str]) -> bool:
        """Whether it names the same files, and has copies of the kinds that are wanted.

        A file with its hash in its name is known by that and its size.
        """
        found = {coding for asset in self.made.files.values() for coding in asset.copies}
        return found == set(codings) and _names(self.made.files) == _names(assets)

    def has_all(self, *, originals: Mapping[str, int]) -> bool:
        """Whether exactly the files of the manifest and these lie there, with their sizes."""
        plain = {f"/{disk_name(path)}": size for path, size in originals.items()}
        return self.sizes == {**plain, **self._own}

    def has_texts(self, tree: Tree, rewritten: Iterable[Taken]) -> bool:
        """Whether the originals of rewritten files, which no digest tells of, are the tree's."""
        return all(
            (self.out / disk_name(item.path)).read_bytes() == tree.files[item.path].read_bytes()
            for item in rewritten
        )

    @cached_property
    def _own(self) -> dict[str, int]:
        """Everything but originals, with its size."""
        own = {f"/{disk_name(name)}": size for name, size in _files(self.made)}
        folders = {folder for path in self.made.files for folder in parents_of(path)}
        own |= {f"/{disk_name(folder)}": _FOLDER for folder in folders}
        own[f"/{DJANGO}"] = len(self.made.as_django())
        return {**own, f"/{OWN}": self.sizes[f"/{OWN}"]}


def _files(made: Manifest) -> Iterator[tuple[str, int]]:
    for asset in made.files.values():
        yield asset.name, asset.size
        for coding, copy in asset.copies.items():
            yield asset.name + ENDINGS[coding], copy.size


def _names(files: Mapping[str, Asset]) -> dict[str, tuple[str, int]]:
    return {path: (asset.name, asset.size) for path, asset in files.items()}


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
