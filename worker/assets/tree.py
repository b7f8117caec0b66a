"""The tree of static files: collected from folders, in which the first one that has a file wins."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

from worker.assets.manifest import RELEASES, is_reserved
from worker.assets.problem import AssetError, Problem

#: No usual file system takes a longer name, and `.0123456789ab` and perhaps `.zst` are added.
_LONGEST, _ADDED = 255, 17
_BAD = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]")
#: Stores that are folders keep such names for what they are still writing.
_UNFINISHED = re.compile(r"#[0-9]+(?=/|$)")
#: How often links may lead into one folder: a few that lead to each other have paths without end.
_VISITS = 100
_HINT = "rename them, or leave them out with --ignore"


@dataclass(frozen=True)
class Tree:
    """The logical path of each file, as a browser would write it, and where it is on the disk."""

    #: Sorted by code point. Texts: an object for each path costs a part of a small build.
    files: Mapping[str, str]


@dataclass(frozen=True)
class Collected:
    tree: Tree
    #: Files that a source before had already, and others that were left out: warnings.
    conflicts: tuple[Problem, ...] = ()


def collect(sources: Sequence[Path], ignore: Sequence[str]) -> Collected:
    """Raises AssetError for what cannot be an asset: a pipe, a link that leads out, a bad name.

    Links are followed, to files and folders, as long as they stay inside the sources.
    """
    walk = _Walk(tuple(os.path.realpath(source) for source in sources), _pattern(ignore))
    merge = _Merge()
    for source, root in zip(sources, walk.roots, strict=True):
        if not Path(root).is_dir():
            message = f"{source}: is no folder; name the folder that holds the static files"
            raise AssetError([Problem("source-not-found", message)])
        for path, file in walk.files(root):
            merge.add(path, file, source)
    problems = [*walk.problems, *merge.refused]
    if problems:
        raise AssetError(sorted(problems, key=lambda problem: problem.message), _HINT)
    files = {path: merge.files[path] for path in sorted(merge.files)}
    return Collected(Tree(files), tuple(merge.conflicts))


def check_names(paths: Iterable[str]) -> None:
    """Raises AssetError for paths that no asset may have."""
    if problems := [problem for path in sorted(paths) if (problem := _name_problem(path))]:
        raise AssetError(problems, _HINT)


def ignores(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether `collect` would leave a path out: by its name, or a folder's that it is in."""
    ignored = _pattern(globs)
    return lambda path: any(_fits(ignored, one) for one in (path, *parents_of(path)))


def disk_name(path: str) -> str:
    """The path as this process must write it, whatever the locale: on disk names are UTF-8."""
    return path if path.isascii() else os.fsdecode(path.encode())


def _logical(name: str) -> str:
    return name if name.isascii() else os.fsencode(name).decode(errors="surrogateescape")


def _pattern(ignore: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, ignore)) or r"(?!)")


def _fits(ignored: re.Pattern[str], path: str) -> bool:
    """By its name or the whole path."""
    return bool(ignored.match(path.rpartition("/")[2]) or ignored.match(path))


@dataclass
class _Walk:
    #: Real paths.
    roots: tuple[str, ...]
    ignored: re.Pattern[str]
    problems: list[Problem] = field(default_factory=list)
    _visits: Counter[str] = field(default_factory=Counter)

    def files(self, root: str) -> Iterator[tuple[str, str]]:
        """Logical and real paths, folder by folder, sorted."""
        todo: list[tuple[str, str, tuple[str, ...]]] = [("", root, (root,))]
        while todo:
            below, folder, parents = todo.pop()
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: _logical(entry.name))
            for entry in entries:
                name = _logical(entry.name)
                path = f"{below}{name}"
                if _fits(self.ignored, path):
                    continue
                real = self._followed(entry, path, parents) if entry.is_symlink() else entry.path
                if not real:
                    continue
                if entry.is_dir():
                    todo.append((f"{path}/", real, (*parents, real)))
                elif entry.is_file():
                    yield path, real
                else:
                    self._refuse("special-file", path, "is neither a file nor a folder")

    def _followed(self, entry: os.DirEntry[str], path: str, parents: tuple[str, ...]) -> str | None:
        real = os.path.realpath(entry.path)
        inside = any(real == root or real.startswith(f"{root}/") for root in self.roots)
        if not Path(real).exists():
            self._refuse("link-dangling", path, f"is a link to {real}, which is not there")
        elif not inside:
            self._refuse("link-outside", path, f"is a link to {real}, outside the sources")
        elif real in parents or any(parent.startswith(f"{real}/") for parent in parents):
            self._refuse("link-loop", path, f"is a link to {real}, the folder that it is in")
        elif self._visits[real] == _VISITS:
            self._refuse("link-again", path, f"is one of more than {_VISITS} links to {real}")
        else:
            self._visits[real] += entry.is_dir()
            return real
        return None

    def _refuse(self, code: str, path: str, what: str) -> None:
        self.problems.append(Problem(code, f"{path!r} {what}", file=path))


@dataclass
class _Merge:
    files: dict[str, str] = field(default_factory=dict)
    conflicts: list[Problem] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    _folders: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, file: str, source: Path) -> None:
        if problem := _name_problem(path):
            self.refused.append(problem)
        elif is_reserved(path):
            self._leave_out("reserved-name", path, "a build writes a file of its own there")
        elif path in self.files:
            what = f"the one in {source} is left out, {self.files[path]} came first"
            self._leave_out("duplicate", path, what)
        elif blocking := self._blocking(path):
            what = f"{source} has it where {blocking} came first; a file and a folder clash"
            self._leave_out("duplicate", path, what)
        else:
            self.files[path] = file
            for folder in parents_of(path):
                if folder in self._folders:
                    break
                self._folders[folder] = file

    def _blocking(self, path: str) -> str | None:
        """The file that is where this one has a folder, or the other way round."""
        if path in self._folders:
            return self._folders[path]
        for folder in parents_of(path):
            if folder in self._folders:
                return None
            if folder in self.files:
                return self.files[folder]
        return None

    def _leave_out(self, code: str, path: str, what: str) -> None:
        self.conflicts.append(Problem(code, f"{path}: left out; {what}", file=path))


def folders_of(paths: Iterable[str]) -> set[str]:
    """All folders that some of the files are in."""
    nearest = {path.rpartition("/")[0] for path in paths} - {""}
    return nearest.union(*map(parents_of, nearest))


def parents_of(path: str) -> Iterator[str]:
    """The folders that a file is in, nearest first."""
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _name_problem(path: str) -> Problem | None:
    if bad := _BAD.search(path):
        what = f"the name has the character {bad.group()!r}, which no URL should have"
    elif bad := _UNFINISHED.search(path):
        what = f"a name cannot end with {bad.group()!r}"
    elif path.startswith(f"{RELEASES}/"):
        what = f"{RELEASES}/ belongs to published releases"
    elif len(path.rpartition("/")[2].encode()) + _ADDED > _LONGEST:
        what = f"with its hash the name is longer than {_LONGEST} bytes"
    else:
        return None
    return Problem("bad-name", f"{path!r}: {what}", file=path)
