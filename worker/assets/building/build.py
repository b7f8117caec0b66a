"""A build: the tree of static files, with hashes in the names, in one folder."""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from worker.assets.building.options import Options
from worker.assets.building.output import (
    check_place,
    move_into_place,
    scratch_only,
    staging,
)
from worker.assets.building.parallel import Workers
from worker.assets.building.progress import Progress
from worker.assets.building.reading import Reading, place_of
from worker.assets.building.report import Built
from worker.assets.building.resolving import lacking
from worker.assets.manifest import Manifest, is_reserved
from worker.assets.problem import AssetError, Problem
from worker.assets.tree import Tree, check_names, collect, folders_of


def build(
    sources: Sequence[Path],
    out: Path,
    options: Options,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Built:
    """Make the folder `out` of the files in `sources`; the same bytes from the same files.

    Original files keep no times: all are those of the build. `tell` gets a line now and then. A
    dry run makes nothing and tells what would be made. Raises AssetError with every problem; `out`
    then is as it was.
    """
    started = time.monotonic()
    options.check()
    try:
        out, sources = _absolute(out), [_absolute(source) for source in sources]
        made, found, warnings = _built(sources, out, options, Progress(tell))
    except OSError as error:
        message = f"{error.filename or out}: {error.strerror or error}"
        raise AssetError([Problem("input-output", message)]) from error
    warnings = sorted(warnings, key=place_of)
    return Built(out, found, tuple(warnings), not made, time.monotonic() - started)


def _absolute(path: Path) -> Path:
    """The folder in which this process stands may be the one that is replaced."""
    return path.resolve() if path.name in {"", ".."} else path.parent.resolve() / path.name


def _built(
    sources: Sequence[Path], out: Path, options: Options, progress: Progress
) -> tuple[bool, Manifest, list[Problem]]:
    """Whether there was or is something to make, what it is, and the warnings."""
    earlier = check_place(out, sources)
    collected = collect(sources, options.ignore)
    room = scratch_only() if options.dry_run else staging(out)
    with room as made, Workers(options.jobs) as workers:
        tree = _with_made_files(collected.tree, options, made.scratch)
        work = Reading(tree, options, workers, progress)
        work.judge([*collected.conflicts, *lacking(options.required, tree.files)])
        if earlier and work.has_made(earlier):
            return False, earlier.made, work.warnings
        if options.dry_run:
            return True, work.look(), work.warnings
        work = Reading(tree, options, workers, progress)
        work.judge(collected.conflicts)
        manifest = work.run(made)
        move_into_place(made, out)
        return True, manifest, work.warnings


def _with_made_files(tree: Tree, options: Options, scratch: Path) -> Tree:
    """What compilers and bundles make comes into the tree, in place of what is there."""
    if not options.bundles:
        return tree
    from worker.assets.bundles.bundling import bundle  # noqa: PLC0415  (loads pydantic)
    from worker.assets.bundles.compiling import compile_all  # noqa: PLC0415  (as above)

    wanted = options.bundles
    compiled = compile_all(tree, wanted.compilers, scratch=scratch, cache=options.cache)
    complete = bundle(compiled, wanted, only=options.only, scratch=scratch)
    _check_made(complete, complete.files.keys() - tree.files.keys())
    return complete


def _check_made(tree: Tree, made: Collection[str]) -> None:
    check_names(made)
    folders = folders_of(tree.files)
    taken = {path for path in tree.files if path in folders or is_reserved(path)}
    problems = [
        Problem("bad-name", f"{path}: is made where something else comes under that name", path)
        for path in sorted(taken)
    ]
    if problems:
        raise AssetError(problems, "give the output of that bundle or compiler another name")
