"""One reading of the tree: every file scanned, hashed and named, with or without an output."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from worker.assets.building.compressing import Wanted, compress, pays
from worker.assets.building.earlier import Earlier
from worker.assets.building.intake import Batch, Setup, Taken, put, take_in
from worker.assets.building.naming import Namer, clashes
from worker.assets.building.options import Options
from worker.assets.building.output import Staging
from worker.assets.building.parallel import Workers, batches
from worker.assets.building.progress import Progress
from worker.assets.building.record import Record, way_of
from worker.assets.building.resolving import LENIENT, broken, is_fatal
from worker.assets.building.scanning import is_dull, is_text
from worker.assets.manifest import DJANGO, OWN, RECORD, Asset, Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.readers import javascript
from worker.assets.tree import Tree, folders_of

#: What a byte costs: to copy it, to rewrite it, to scan it, to compress it; and what a file costs.
_COPIED, _REWRITTEN, _SCANNED, _COMPRESSED, _FILE = 1, 4, 8, 50, 50_000
#: Below this, about 0.1 seconds, more processes do not pay.
_SMALL = 40_000_000

Task = TypeVar("Task")
Done = TypeVar("Done")
Key = TypeVar("Key")


class Reading:
    """All of it at once, as a build is: `judge` collects what is wrong."""

    def __init__(self, tree: Tree, options: Options, workers: Workers, progress: Progress) -> None:
        self._tree, self._options = tree, options
        self._workers, self._progress = workers, progress
        #: Of the program as it is now: somebody may put another in its place.
        self._way = way_of(options)
        self.warnings: list[Problem] = []

    def judge(self, problems: Iterable[Problem]) -> None:
        """Raises AssetError when one of them stops the build; the others are warnings."""
        found = list(problems)
        fatal = [item for item in found if is_fatal(item, lenient=self._options.lenient)]
        if fatal:
            raise AssetError(sorted(fatal, key=place_of), _hint(fatal))
        self.warnings += found

    def has_made(self, earlier: Earlier) -> bool:
        """Whether that build is what another would come to; reads no text and writes nothing."""
        record, tree = earlier.record, self._tree
        if not record or record.way != self._way or earlier.made.files.keys() != tree.files.keys():
            return False
        found = {path: item.digest for path, item in self._taken(None, scans=False).items()}
        is_full = not self._options.hashed_only
        if not earlier.has_all(originals=found if is_full else {}):
            return False
        if not earlier.is_of(tree, found, has_originals=is_full):
            return False
        self.judge(record.problems)
        return True

    def look(self) -> Manifest:
        """What it would make, without copies and SHA-256; writes nothing."""
        return Manifest(self._read(None)[0])

    def run(self, made: Staging) -> Manifest:
        """Fills the folder."""
        tree = made.tree
        made.make_folders(folders_of(self._tree.files))
        assets, record = self._read(tree)
        manifest = Manifest(self._compressed(assets, tree))
        own = manifest.as_json()
        put(str(tree), DJANGO, manifest.as_django())
        put(str(tree), OWN, own)
        put(str(tree), RECORD, record.of(own).as_json())
        return manifest

    def _read(self, out: Path | None) -> tuple[dict[str, Asset], Record]:
        """Everything about the files, which are put into `out` under their new names."""
        taken = self._taken(out, scans=True)
        found = sorted(_found(taken, self._tree), key=place_of)
        self.judge(found)
        assets = self._named(taken, out)
        self.judge(clashes(assets, taken))
        rewritten = {path: it.digest.sha256 for path, it in taken.items() if it.scan.links}
        return assets, Record(self._way, rewritten, tuple(found))

    def _taken(self, out: Path | None, *, scans: bool) -> dict[str, Taken]:
        tree = self._tree
        setup = Setup(
            str(out) if out else None,
            originals=not self._options.hashed_only,
            scans=scans,
            js_modules=self._options.js_modules,
            base_url=self._options.base_url,
        )
        costs = {path: _cost(path, file, setup) for path, file in tree.files.items()}
        if scans and setup.js_modules and sum(costs.values()) >= _SMALL:
            javascript.prepare()
        work = [
            Batch(setup, [(path, tree.files[path]) for path in part])
            for part in batches(costs, self._options.jobs)
        ]
        found = self._each(take_in, work, costs, _Told("read", len(costs)))
        taken = {item.path: item for item in found}
        return {path: taken[path] for path in tree.files}

    def _named(self, taken: Mapping[str, Taken], out: Path | None) -> dict[str, Asset]:
        namer = Namer(self._tree, taken, out)
        done, files = 0, sum(bool(item.scan.links) for item in taken.values())
        for level in namer.levels:
            costs = {group: size * _REWRITTEN for group, size in namer.costs(level).items()}
            work, told = batches(costs, self._options.jobs), _Told("rewritten", files, done)
            namer.add(self._each(namer.name, work, costs, told))
            done += sum(map(len, level))
        return namer.assets

    def _compressed(self, assets: dict[str, Asset], out: Path) -> dict[str, Asset]:
        wanted = self._options.compress
        if not wanted:
            return assets
        sizes = {it.name: it.size for it in assets.values() if pays(it.name, it.size)}
        costs = {name: size * _COMPRESSED for name, size in sizes.items()}
        work = [
            Wanted(str(out), [(name, sizes[name]) for name in part], wanted)
            for part in batches(costs, self._options.jobs)
        ]
        copies = dict(self._each(compress, work, costs, _Told("compressed", len(costs))))
        return {
            path: replace(asset, copies=copies.get(asset.name, {}))
            for path, asset in assets.items()
        }

    def _each(
        self,
        run: Callable[[Task], list[Done | Problem]],
        work: list[Task],
        costs: Mapping[Key, int],
        told: "_Told",
    ) -> list[Done]:
        is_small = sum(costs.values()) < _SMALL
        done: list[Done] = []
        problems: list[Problem] = []
        for results in self._workers.each(run, work, is_small=is_small):
            for result in results:
                if isinstance(result, Problem):
                    problems.append(result)
                else:
                    done.append(result)
            self._progress.count(told.what, told.before + len(done), told.files)
        self.judge(problems)
        return done


class _Told(NamedTuple):
    """What is done, and to how many files, of which so many were done before."""

    what: str
    files: int
    before: int = 0


def _found(taken: Mapping[str, Taken], tree: Tree) -> Iterator[Problem]:
    for item in taken.values():
        yield from item.scan.problems
    yield from broken(taken.values(), tree.files)


def _cost(path: str, file: str, setup: Setup) -> int:
    try:
        size = os.stat(file).st_size  # noqa: PTH116 - a Path for each file takes longer than this
    except OSError:
        return _FILE  # told when it is read
    is_read = setup.scans and is_text(path) and not is_dull(path, modules=setup.js_modules)
    return _FILE + size * (_SCANNED if is_read else _COPIED)


def place_of(problem: Problem) -> tuple[str, int, str, str]:
    return problem.file or "", problem.line or 0, problem.code, problem.message


def _hint(problems: Sequence[Problem]) -> str:
    codes = {problem.code for problem in problems}
    if codes <= LENIENT:
        return "correct the files, leave them out with --ignore, or build with --lenient"
    return "leave one of each two out with --ignore" if codes == {"name-clash"} else ""
