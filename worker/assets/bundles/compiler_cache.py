"""What was compiled before: folders named by the content of everything that could change them."""

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from app.domain.recipe_static import Compiler
from worker.assets.tree import Tree

#: Goes up when the layout of an entry changes.
_VERSION = 2
#: What an entry has: the files, and the digest of each by its name.
_FILES, _DIGESTS = "files", "digests.json"
#: Names of entries, and of what will be one; and the days that they stay unused.
_UNUSED = ((re.compile("[0-9a-f]{64}"), 30), (re.compile(r"\.new-.*"), 1))
#: Outside the tree, and still part of what a compiler reads: which packages, which settings.
_SETTINGS = (
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "tsconfig.json",
)


class Keys:
    """Keys for one tree.

    A source may include any other file (a LESS file its mixins, a script its modules, both an
    image as data), and only its compiler knows which. So every file of the tree is part of every
    key: a change compiles too much rather than too little. Times and places are no part of it: a
    fresh checkout finds what an older one compiled.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known_settings: dict[Path, str] = {}
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            digests = pool.map(_digest, map(Path, tree.files.values()))
            self._content = _of(zip(tree.files, digests, strict=True))

    def key(self, compiler: Compiler, path: str, words: Sequence[str]) -> str:
        """`words` are the command's; the first is the full path of its program."""
        source = Path(self._tree.files[path]).absolute()
        parts = {
            "version": _VERSION,
            "run": compiler.run,
            "extension": compiler.extension,
            "path": path,
            "tree": self._content,
            "programs": [_digest(file) for file in _programs(words, source.parent)],
            "settings": self._settings(source.parent),
        }
        return _of(parts.items())

    def _settings(self, folder: Path) -> str:
        if folder not in self._known_settings:
            self._known_settings[folder] = _of(_settings(folder))
        return self._known_settings[folder]


def take(entry: Path, made: Path) -> bool:
    """Copy what an earlier run made into the empty folder of `made`, the file that is wanted.

    False when there is nothing, or not exactly what was kept: a damaged entry is removed.
    """
    folder = made.parent
    if not entry.is_dir():
        return False
    try:
        os.utime(entry)
        shutil.copytree(entry / _FILES, folder, symlinks=True, dirs_exist_ok=True)
        kept = json.loads((entry / _DIGESTS).read_bytes())
        if kept == _digests(folder) and made.is_file() and made.stat().st_size:
            return True
    except (OSError, ValueError):
        pass  # damaged, or somebody removes it just now
    shutil.rmtree(folder)
    folder.mkdir()
    _discard(entry)
    return False


def keep(folder: Path, entry: Path) -> None:
    """An entry is there whole or not at all; whoever comes second leaves the first one's.

    Nothing waits for the disk: what a power cut takes has another digest.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".new-") as scratch:
        copy = Path(scratch) / "entry"
        shutil.copytree(folder, copy / _FILES)
        (copy / _DIGESTS).write_text(json.dumps(_digests(folder)))
        try:
            copy.rename(entry)
        except OSError:
            if not entry.is_dir():
                raise


def _digests(folder: Path) -> dict[str, str]:
    return {
        # A link equals nothing that was kept.
        str(file.relative_to(folder)): "" if file.is_symlink() else _digest(file)
        for file in sorted(folder.rglob("*"))
        if file.is_symlink() or not file.is_dir()
    }


def _discard(entry: Path) -> None:
    with (
        suppress(OSError),
        tempfile.TemporaryDirectory(dir=entry.parent, prefix=".new-") as scratch,
    ):
        entry.rename(Path(scratch) / "entry")


def prune(cache: Path) -> None:
    """Remove entries that nothing took for 30 days, and what a killed run left a day ago.

    Whatever else lies in the folder stays.
    """
    for path in cache.iterdir() if cache.is_dir() else ():
        longest = next((days for pattern, days in _UNUSED if pattern.fullmatch(path.name)), None)
        with suppress(FileNotFoundError):
            if longest and time.time() - path.stat().st_mtime > longest * 86_400:
                shutil.rmtree(path, ignore_errors=True)


def _programs(words: Sequence[str], folder: Path) -> Iterator[Path]:
    """The program, its package, and files among the words, as in `node tools/build.js {in}`."""
    program = Path(words[0]).resolve()
    yield program
    for above in program.parents:
        if (above / "package.json").is_file():
            yield above / "package.json"
            break
    yield from (folder / word for word in words[1:] if (folder / word).is_file())


def _settings(folder: Path) -> Iterator[tuple[str, str]]:
    for distance, above in enumerate((folder, *folder.parents)):
        for name in _SETTINGS:
            if (above / name).is_file():
                yield f"{distance}/{name}", _digest(above / name)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _of(parts: Iterable[object]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()
