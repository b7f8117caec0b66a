"""One reading of the tree: every file scanned, hashed and named, with or without an output."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from worker.assets.building.compressing import Wanted, compress, pays
from worker.assets.building.earlier import Earlier
from worker.assets.building.intake import Batch, Setup, Taken, put, take_in
from worker.assets.building.naming import clashes, name_all
from worker.assets.building.options import Options
from worker.assets.building.output import Staging
from worker.assets.building.parallel import Workers, batches
from worker.assets.building.progress import Progress
from worker.assets.building.resolving import LENIENT, broken, is_fatal
from worker.assets.building.scanning import is_text
from worker.assets.manifest import DJANGO, OWN, Asset, Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.readers import javascript
from worker.assets.tree import Tree, parents_of

#: What a byte costs: to copy it, to scan it, to compress it; and what any file costs.
_COPIED, _SCANNED, _COMPRESSED, _FILE = 1, 8, 50, 50_000
#: Below this, about 0.4 seconds, more processes do not pay.
_SMALL = 200_000_000

Task = TypeVar("Task")
Done = TypeVar("Done")


class Reading:
    """All of it at once, as a build is: `judge` collects what is wrong."""

    def __init__(self, tree: Tree, options: Options, workers: Workers, progress: Progress) -> None:
        self._tree, self._options = tree, options
        self._workers, self._progress = workers, progress
        self.warnings: list[Problem] = []

    def judge(self, problems: Iterable[Problem]) -> None:
        """Raises AssetError when one of them stops the build; the others are warnings."""
        found = list(problems)
        fatal = [item for item in found if is_fatal(item, lenient=self._options.lenient)]
        if fatal:
            raise AssetError(sorted(fatal, key=place_of), _hint(fatal))
        self.warnings += found

    def would_be(self, earlier: Earlier) -> bool:
        """Whether a build would come to the same; writes nothing."""
        taken, assets = self._looked
        is_plain = self._options.hashed_only
        originals = {} if is_plain else {path: item.digest.size for path, item in taken.items()}
        rewritten = [] if is_plain else [item for item in taken.values() if item.scan.links]
        return (
            earlier.agrees(assets, self._options.compress)
            and earlier.has_all(originals=originals)
            and earlier.has_texts(self._tree, rewritten)
        )

    def look(self) -> Manifest:
        """What it would make, without copies and SHA-256; writes nothing."""
        return Manifest(self._looked[1])

    @cached_property
    def _looked(self) -> tuple[dict[str, Taken], dict[str, Asset]]:
        return self._read(None)

    def run(self, made: Staging) -> Manifest:
        """Fills the folder."""
        tree = made.tree
        made.make_folders({folder for path in self._tree.files for folder in parents_of(path)})
        _, assets = self._read(tree)
        manifest = Manifest(self._compressed(assets, tree))
        put(str(tree), DJANGO, manifest.as_django())
        put(str(tree), OWN, manifest.as_json())
        return manifest

    def _read(self, out: Path | None) -> tuple[dict[str, Taken], dict[str, Asset]]:
        """Everything about the files, which are put into `out` under their new names."""
        taken = self._taken(out)
        self.judge(
            [
                *(problem for item in taken.values() for problem in item.scan.problems),
                *broken(taken.values(), self._tree.files),
            ]
        )
        assets = name_all(self._tree, taken, out)
        self.judge(clashes(assets, taken))
        return taken, assets

    def _taken(self, out: Path | None) -> dict[str, Taken]:
        tree = self._tree
        setup = Setup(
            str(out) if out else None,
            originals=not self._options.hashed_only,
            js_modules=self._options.js_modules,
            base_url=self._options.base_url,
        )
        costs = {path: _cost(path, file) for path, file in tree.files.items()}
        if setup.js_modules and sum(costs.values()) >= _SMALL:
            javascript.prepare()
        work = [
            Batch(setup, [(path, str(tree.files[path])) for path in part])
            for part in batches(costs, self._options.jobs)
        ]
        found = self._each(take_in, work, costs, what="read")
        taken = {item.path: item for item in found}
        return {path: taken[path] for path in tree.files}

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
        copies = dict(self._each(compress, work, costs, what="compressed"))
        return {
            path: replace(asset, copies=copies.get(asset.name, {}))
            for path, asset in assets.items()
        }

    def _each(
        self,
        run: Callable[[Task], list[Done | Problem]],
        work: list[Task],
        costs: Mapping[str, int],
        *,
        what: str,
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
            self._progress.count(what, len(done), len(costs))
        self.judge(problems)
        return done


def _cost(path: str, file: Path) -> int:
    try:
        size = file.stat().st_size
    except OSError:
        return _FILE  # told when it is read
    return _FILE + size * (_SCANNED if is_text(path) else _COPIED)


def place_of(problem: Problem) -> tuple[str, int, str, str]:
    return problem.file or "", problem.line or 0, problem.code, problem.message


def _hint(problems: Sequence[Problem]) -> str:
    codes = {problem.code for problem in problems}
    if codes <= LENIENT:
        return "correct the files, leave them out with --ignore, or build with --lenient"
    return "leave one of each two out with --ignore" if codes == {"name-clash"} else ""
