"""Files with references get their hashed copies, those that they refer to first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from worker.assets.building.graph import levels
from worker.assets.building.hashing import Digest, digest_of
from worker.assets.building.intake import Taken, put, unreadable
from worker.assets.building.resolving import dependencies
from worker.assets.building.rewriting import MARK, cycle_hash, rewritten
from worker.assets.manifest import Asset
from worker.assets.problem import AssetError, Problem
from worker.assets.tree import Tree, folders_of
from worker.assets.url import hashed_path

Group = tuple[str, ...]


class Named(NamedTuple):
    path: str
    name: str
    digest: Digest


def clashes(assets: Mapping[str, Asset], taken: Mapping[str, Taken]) -> Iterator[Problem]:
    """Names with hashes that other files, or folders, have already."""
    names: dict[str, str] = {}
    folders = folders_of(taken)
    for path, asset in assets.items():
        other = names.setdefault(asset.name, path)
        is_other = assets[other].sha256 != asset.sha256
        if asset.name in taken:
            other, is_other = asset.name, taken[asset.name].digest.sha256 != asset.sha256
        if asset.name in folders:
            other, is_other = f"the folder {asset.name}", True
        if is_other:
            message = (
                f"{path}: its hashed name is {asset.name}, and {other} takes that name with "
                f"other bytes"
            )
            yield Problem("name-clash", message, file=path)


class Namer:
    """Knows the names so far. Groups of one level may be named in other processes."""

    def __init__(self, tree: Tree, taken: Mapping[str, Taken], out: Path | None) -> None:
        self._tree, self._taken = tree, taken
        self._out = str(out) if out else None
        self._refers_to = dependencies(taken.values(), tree.files)
        self._assets = {
            path: _asset(hashed_path(path, item.digest.short), item.digest)
            for path, item in taken.items()
            if not item.scan.links
        }

    @property
    def levels(self) -> list[list[Group]]:
        """Those that must have their names before the next."""
        return levels(self._refers_to)

    def costs(self, level: Iterable[Group]) -> dict[Group, int]:
        """Bytes of the files of each group."""
        return {group: sum(self._taken[path].digest.size for path in group) for group in level}

    def name(self, groups: Sequence[Group]) -> list[Named | Problem]:
        """Writes their files, unless there is no `out`; nothing that changed meanwhile."""
        return [named for group in groups for named in self._guarded(group)]

    def add(self, named: Iterable[Named]) -> None:
        self._assets |= {path: _asset(name, digest) for path, name, digest in named}

    @property
    def assets(self) -> dict[str, Asset]:
        """By path, in the order of the tree."""
        return {path: self._assets[path] for path in self._taken}

    def _guarded(self, group: Group) -> list[Named | Problem]:
        try:
            return list(self._named(group))
        except AssetError as error:
            return list(error.problems)

    def _named(self, group: Group) -> Iterator[Named]:
        """Each by its own bytes, or those of a cycle by the hash that they have in common."""
        is_cycle = len(group) > 1 or group[0] in self._refers_to[group[0]]
        common = self._common_hash(group) if is_cycle else ""
        inside = {path: hashed_path(path, common) for path in group} if common else {}
        for path in group:
            content = self._rewritten(path, inside).encode()
            digest = digest_of(content, is_full=bool(self._out))
            name = inside.get(path) or hashed_path(path, digest.short)
            put(self._out, name, content)
            yield Named(path, name, digest)

    def _common_hash(self, group: Group) -> str:
        plain = {path: path for path in group}
        return cycle_hash((path, self._rewritten(path, plain, mark=MARK)) for path in group)

    def _rewritten(self, path: str, inside: Mapping[str, str], *, mark: str = "") -> str:
        def hashed(target: str) -> str | None:
            if target in inside:
                return inside[target]
            known = self._assets.get(target)
            return known.name if known else None

        links = self._taken[path].scan.links
        return rewritten(self._text(path), links, hashed, mark=mark)

    def _text(self, path: str) -> str:
        """Read again rather than kept: the texts of a big tree would fill the memory."""
        try:
            content = Path(self._tree.files[path]).read_bytes()
        except OSError as error:
            raise AssetError([unreadable(path, error)]) from error
        known = self._taken[path].digest
        found = digest_of(content, is_full=False)
        if (found.short, found.size) != (known.short, known.size):
            message = f"{path}: changed while it was read; build again when nobody writes to it"
            raise AssetError([Problem("changed-meanwhile", message, file=path)])
        return content.decode()


def _asset(name: str, digest: Digest) -> Asset:
    return Asset(name, digest.size, digest.sha256)
