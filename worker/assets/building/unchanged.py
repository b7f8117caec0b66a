"""Whether the output holds already what a build would make: then nothing is written."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from worker.assets.building.intake import Taken
from worker.assets.manifest import DJANGO, ENDINGS, OWN, Asset, BadManifest, Manifest, read
from worker.assets.tree import Tree, disk_name, parents_of

_FOLDER = -1


def earlier(out: Path) -> Manifest | None:
    """What the build in `out` made; None: there is none."""
    with suppress(OSError, BadManifest):
        return read((out / OWN).read_bytes())
    return None


def agrees(made: Manifest, assets: Mapping[str, Asset], codings: Iterable[str]) -> bool:
    """Whether it names the same files, and has copies of the kinds that are wanted.

    A file with its hash in its name is known by that and its size.
    """
    found = {coding for asset in made.files.values() for coding in asset.copies}
    return found == set(codings) and _names(made.files) == _names(assets)


def has_all(out: Path, made: Manifest, *, originals: Mapping[str, int]) -> bool:
    """Whether exactly the files of the manifest and these lie there, with their sizes."""
    wanted = {f"/{disk_name(path)}": size for path, size in _files(made)}
    wanted |= {f"/{disk_name(path)}": size for path, size in originals.items()}
    folders = {folder for path in made.files for folder in parents_of(path)}
    wanted |= {f"/{disk_name(folder)}": _FOLDER for folder in folders}
    wanted[f"/{DJANGO}"] = len(made.as_django())
    found = _sizes(out)
    wanted[f"/{OWN}"] = found.get(f"/{OWN}", _FOLDER)
    return found == wanted


def strangers(out: Path, made: Manifest) -> list[str]:
    """What lies in `out` and is no part of a build with this manifest, sorted."""
    known = {DJANGO, OWN, *made.files}
    for asset in made.files.values():
        known |= {asset.name, *(asset.name + ENDINGS[coding] for coding in asset.copies)}
    known |= {folder for path in made.files for folder in parents_of(path)}
    return sorted(_sizes(out).keys() - {f"/{disk_name(path)}" for path in known})


def are_same(out: Path, tree: Tree, rewritten: Iterable[Taken]) -> bool:
    """Whether the originals of rewritten files, which no digest tells of, are those of the tree."""
    return all(
        (out / disk_name(item.path)).read_bytes() == tree.files[item.path].read_bytes()
        for item in rewritten
    )


def _names(files: Mapping[str, Asset]) -> dict[str, tuple[str, int]]:
    return {path: (asset.name, asset.size) for path, asset in files.items()}


def _files(made: Manifest) -> Iterator[tuple[str, int]]:
    for asset in made.files.values():
        yield asset.name, asset.size
        for coding, copy in asset.copies.items():
            yield asset.name + ENDINGS[coding], copy.size


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
