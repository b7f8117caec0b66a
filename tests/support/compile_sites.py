"""Sources of compilers, with programs of a few lines in the place of real ones."""

from pathlib import Path

import pytest

from app.domain.recipe_static import Compiler
from worker.assets.bundles import compiling
from worker.assets.problem import AssetError
from worker.assets.tree import Tree, collect

UPPER = 'tr a-z A-Z <"$1" >"$2"; echo ran >>"$LOG"'


class CompileSite:
    def __init__(self, folder: Path) -> None:
        self.folder, self.builds = folder, 0
        self.cache = folder / "cache"
        (folder / "it's static").mkdir()

    def write(self, path: str, text: str) -> None:
        file = self.folder / "it's static" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def program(self, text: str, name: str = "upper") -> str:
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return f"{file} {{in}} {{out}}"

    def compile(self, *compilers: Compiler, cached: bool = False) -> Tree:
        self.builds += 1
        tree = collect([self.folder / "it's static"], ()).tree
        scratch = self.folder / f"scratch-{self.builds}"
        cache = self.cache if cached else None
        return compiling.compile_all(tree, compilers, scratch=scratch, cache=cache)

    def refused(self, *compilers: Compiler, cached: bool = False):
        with pytest.raises(AssetError) as caught:
            self.compile(*compilers, cached=cached)
        return caught.value.problems

    @property
    def runs(self) -> int:
        log = self.folder / "log"
        return log.read_text().count("ran") if log.exists() else 0


def compiler(run: str, match: str = "*.less", extension: str = ".css") -> Compiler:
    return Compiler(match=match, run=run, extension=extension)
