"""Compilers: a program makes one file of another, as CSS of LESS or JavaScript of TypeScript."""

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from posixpath import basename, dirname, join, splitext

from app.domain.recipe_static import Compiler
from worker.assets.bundles import compiled_map
from worker.assets.bundles.compiler_cache import Keys, keep, prune, take
from worker.assets.bundles.program import Programs
from worker.assets.problem import Problem, refuse
from worker.assets.tree import Tree, disk_name

#: Seconds.
_LOOK = 0.2
_FOLDER = "compiled"
_PLACES = re.compile(r"\{in\}|\{out\}")
_HINT = "Nothing was built. Correct the compilers or these files."


@dataclass(frozen=True)
class _Work:
    """One file to compile; `folder` is its own, so that what is made has its right name there."""

    path: str
    source: Path
    output: str
    compiler: Compiler
    folder: Path

    @property
    def made(self) -> Path:
        return self.folder / disk_name(basename(self.output))


def compile_all(
    tree: Tree, compilers: Sequence[Compiler], *, scratch: Path, cache: Path | None
) -> Tree:
    """The tree with what the compilers make of its files; the sources stay in it.

    Each command runs in the folder of its source. What it writes beside `{out}`, as a source map,
    comes along. Raises AssetError: compiler-missing, compiler-conflict, compiler-failed,
    compiler-silent or special-file, one problem for each file.
    """
    works = _works(tree, compilers, scratch / _FOLDER)
    if not works:
        return tree
    refuse([*_missing(works), *_conflicts([(work.output, work.path) for work in works])], _HINT)
    keys = Keys(tree) if cache else None
    if cache:
        prune(cache)
    # Programs end first: the pool waits for those that run, and after Ctrl-C nobody needs them.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool, Programs() as programs:
        running = [pool.submit(_compile, work, programs, keys, cache) for work in works]
        # A signal that comes just before a wait is seen only after it, so none may be long.
        while wait(running, timeout=_LOOK).not_done:
            pass
    refuse([problem for compiled in running if (problem := compiled.result())], _HINT)
    made = [(path, file, work.path) for work in works for path, file in _results(work)]
    refuse([*_conflicts([(path, by) for path, _, by in made])], _HINT)
    files = {**tree.files, **{path: str(file) for path, file, _ in made}}
    return Tree(dict(sorted(files.items())))


def _works(tree: Tree, compilers: Sequence[Compiler], folder: Path) -> tuple[_Work, ...]:
    works = [
        _Work(
            path,
            Path(source),
            splitext(path)[0] + compiler.extension,
            compiler,
            folder / f"{number}",
        )
        for number, (compiler, (path, source)) in enumerate(product(compilers, tree.files.items()))
        if fnmatchcase(path, compiler.match) or fnmatchcase(basename(path), compiler.match)
    ]
    # A file of the sources that will be replaced is no source.
    made = {work.output for work in works if work.output != work.path}
    return tuple(work for work in works if work.path not in made)


def _missing(works: Sequence[_Work]) -> Iterator[Problem]:
    for run in dict.fromkeys(work.compiler.run for work in works):
        name = shlex.split(run)[0]
        if not shutil.which(name):
            work = next(work for work in works if work.compiler.run == run)
            yield Problem(
                "compiler-missing",
                f"{work.path}: there is no program `{name}` to compile it. PATH is"
                f" {os.environ.get('PATH', '')}. Install the program, or write its path in `run`;"
                " a relative path counts from the folder where the build is started.",
                work.path,
            )


def _conflicts(made: Sequence[tuple[str, str]]) -> Iterator[Problem]:
    makers: dict[str, str] = {}
    for output, path in made:
        if output == path:
            message = f"{path}: its compiler would replace it; choose another `extension`"
        elif output not in makers:
            makers[output] = path
            continue
        elif makers[output] == path:
            message = f"two compilers make {output} of {path}; narrow the `match` of one"
        else:
            other = makers[output]
            message = f"{output} is made of {other} and of {path}; rename one or narrow `match`"
        yield Problem("compiler-conflict", message, path)


def _compile(
    work: _Work, programs: Programs, keys: Keys | None, cache: Path | None
) -> Problem | None:
    work.folder.mkdir(parents=True)
    words = shlex.split(work.compiler.run)
    words[0] = os.path.abspath(shutil.which(words[0]) or words[0])  # noqa: PTH100 - links stay
    entry = cache / keys.key(work.compiler, work.path, words) if cache and keys else None
    if entry and take(entry, work.made):
        return None
    places = {"{in}": str(work.source.absolute()), "{out}": str(work.made.absolute())}
    # Once over each word: the name of a file may have `{out}` in it.
    words = [_PLACES.sub(lambda place: places[place[0]], word) for word in words]
    if problem := _run(work, programs, words) or _special(work):
        return problem
    compiled_map.rebase(work.folder, work.source)
    if entry:
        keep(work.folder, entry)
    return None


def _run(work: _Work, programs: Programs, words: Sequence[str]) -> Problem | None:
    ended = programs.run(words, work.source.parent)
    told = f"`{shlex.join(words)}`, run in {work.source.parent}"
    said = f"It said:\n{ended.said}" if ended.said else "It said nothing."
    if ended.exit_code != 0:
        why = f"{told}, {ended.how}. {said}"
        return Problem("compiler-failed", f"{work.path}: {why}", work.path)
    if not work.made.is_file() or work.made.stat().st_size == 0:
        found = "an empty file" if work.made.is_file() else "no file"
        why = f"{told}, ended with exit code 0 and left {found} for {work.output}. {said}"
        return Problem("compiler-silent", f"{work.path}: {why}", work.path)
    return None


def _special(work: _Work) -> Problem | None:
    """A link could lead to any file of this machine, and its content would be published."""
    for path, file in _entries(work):
        if file.is_symlink():
            what = f"a link to {file.readlink()}; have it write a copy"
        elif not file.is_file() and not file.is_dir():
            what = "neither a file nor a folder"
        else:
            continue
        return Problem("special-file", f"{path}: the compiler of {work.path} made {what}", path)
    return None


def _results(work: _Work) -> Iterator[tuple[str, Path]]:
    return ((path, file) for path, file in _entries(work) if file.is_file())


def _entries(work: _Work) -> Iterator[tuple[str, Path]]:
    """What lies in its folder now, by the path that it has in the tree."""
    folder = dirname(work.output)
    for file in sorted(work.folder.rglob("*")):
        name = os.fsencode(file.relative_to(work.folder)).decode(errors="replace")
        yield join(folder, name), file
