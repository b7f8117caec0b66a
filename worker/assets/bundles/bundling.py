"""Bundles: listed files put together, in order, into one."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import splitext

from app.domain.recipe_rules import circle, in_order, near_miss
from app.domain.recipe_static import Bundle, Bundles
from worker.assets.bundles import css_bundle, javascript_bundle
from worker.assets.bundles.combining import Combined, Piece
from worker.assets.bundles.minifying import CannotMinify, Kind, minified
from worker.assets.problem import AssetError, Problem, refuse
from worker.assets.tree import Tree, disk_name
from worker.assets.url import nearest

_FOLDER = "bundled"
_HINT = "Nothing was built. Correct the bundles or these files."
_BOM = "\ufeff"


def bundle(tree: Tree, bundles: Bundles, *, only: Sequence[str], scratch: Path) -> Tree:
    """The tree with the bundles named in `only` (all when it is empty) and those they are made of.

    Raises AssetError with every problem: bundle-not-found, bundle-circle, source-not-found,
    not-utf-8, import-too-late, module-in-bundle, minify-failed.
    """
    plan = _Plan(tree, bundles)
    refuse([*_unknown(bundles, only), *plan.problems], _HINT)
    files = dict(tree.files)
    problems: list[Problem] = []
    for name in plan.order(only or tuple(bundles.bundles)):
        wanted = bundles.bundles[name]
        made = scratch / _FOLDER / disk_name(wanted.output)
        try:
            text = _text(wanted, {path: Path(files[path]) for path in plan.sources[name]})
        except AssetError as error:
            # What is made of it fails only because of it: it is taken for empty there.
            problems += error.problems
            text = ""
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(text.encode())
        files[wanted.output] = str(made)
    refuse(problems, _HINT)
    return Tree(dict(sorted(files.items())))


class _Plan:
    """Which files each bundle is made of, and which bundle comes after which."""

    def __init__(self, tree: Tree, bundles: Bundles) -> None:
        self._tree = tree
        self._makers = {item.output: name for name, item in bundles.bundles.items()}
        self._misses: list[Problem] = []
        self.sources = {name: self._sources(name, it) for name, it in bundles.bundles.items()}
        self._after = {
            name: [self._makers[path] for path in paths if path in self._makers]
            for name, paths in self.sources.items()
        }

    @property
    def problems(self) -> list[Problem]:
        chain = circle(self._after)
        if not chain:
            return self._misses
        message = f"the bundles {' -> '.join(chain)} are made of each other; leave one out"
        return [*self._misses, Problem("bundle-circle", message)]

    def order(self, names: Sequence[str]) -> Iterator[str]:
        """These bundles and what they are made of, sources first."""
        needed: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in needed:
                needed.add(name)
                todo += self._after[name]
        return (name for name in in_order(self._after) if name in needed)

    def _sources(self, name: str, wanted: Bundle) -> list[str]:
        """Each file once, where it comes first."""
        found: dict[str, None] = {}
        for pattern in wanted.sources:
            paths = self._named(pattern, splitext(wanted.output)[1])
            if not paths:
                self._misses.append(self._miss(name, pattern))
            found.update(dict.fromkeys(paths))
        return list(found)

    def _named(self, pattern: str, ending: str) -> list[str]:
        if pattern in self._makers or pattern in self._tree.files:
            return [pattern]
        # What a bundle makes is only found by its full name: else `js/*.js` would find `js/all.js`.
        parts = pattern.split("/")
        return [
            path
            for path in self._tree.files
            if path not in self._makers and path.endswith(ending) and _fits(path.split("/"), parts)
        ]

    def _miss(self, name: str, pattern: str) -> Problem:
        near = nearest(pattern, [*self._tree.files, *self._makers])
        message = f"the bundle `{name}` wants `{pattern}`, and there is no such file"
        if near:
            message += f"; the nearest names are {', '.join(near)}"
        return Problem("source-not-found", message, reference=pattern, nearest=near)


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_fits(path[skipped:], pattern[1:]) for skipped in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and _fits(path[1:], pattern[1:])


def _text(wanted: Bundle, files: Mapping[str, Path]) -> str:
    parts = _read(files)
    kind: Kind = "css" if wanted.output.endswith(".css") else "js"
    combine = css_bundle.combined if kind == "css" else javascript_bundle.combined
    whole = combine(parts, wanted.output)
    return _minified(whole, kind) if wanted.minify else whole.text


def _read(files: Mapping[str, Path]) -> list[Piece]:
    parts: list[Piece] = []
    problems: list[Problem] = []
    for path, file in files.items():
        try:
            # Newlines as they are; a mark of the byte order inside a text would be a character.
            parts.append(Piece(path, file.read_bytes().decode().removeprefix(_BOM)))
        except UnicodeDecodeError as error:
            message = f"{path}: not utf-8 at byte {error.start}; convert the file to utf-8"
            problems.append(Problem("not-utf-8", message, path))
    refuse(problems, _HINT)
    return parts


def _minified(whole: Combined, kind: Kind) -> str:
    try:
        return minified(whole.text, kind)
    except CannotMinify as error:
        path, line = whole.place(error.line) if error.line else (None, None)
        files = ", ".join(dict.fromkeys(piece.path for piece in whole.pieces))
        where = f"{path}, line {line}" if path else f"one of {files}"
        message = (
            f"{where}: cannot be minified: {error}. Correct it, or set `minify: false` for its"
            " bundle."
        )
        raise AssetError([Problem("minify-failed", message, path, line)]) from None


def _unknown(bundles: Bundles, only: Sequence[str]) -> list[Problem]:
    return [
        Problem(
            "bundle-not-found",
            f"there is no bundle `{name}`{near_miss(name, bundles.bundles)}",
            reference=name,
        )
        for name in only
        if name not in bundles.bundles
    ]
