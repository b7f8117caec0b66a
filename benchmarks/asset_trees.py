"""The static files of the measurement: what sites really collect, put together from releases."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support import reference

_MB = 1_000_000
#: Parts of npm packages. All that Django collects without an error: it gives up on the rest of
#: echarts (a chain of more than five imports), on three's examples (a cycle) and on monaco (maps
#: that are not there).
_NPM = {
    "bootstrap": ".",
    "@fortawesome/fontawesome-free": ".",
    "tinymce": ".",
    "echarts": "dist",
    "three": "build",
}


@dataclass(frozen=True)
class Tree:
    name: str
    folder: Path
    files: int
    megabytes: float

    def __str__(self) -> str:
        return f"{self.name}: {self.files:,} files, {self.megabytes:.0f} MB"


def site(folder: Path) -> Tree:
    """Django's admin and GIS, Wagtail, Oscar and Django REST framework."""
    for source in reference.sources("django"):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    return _counted("site", folder)


def large(folder: Path) -> Tree:
    """The same, with the npm packages below folders of their own."""
    site(folder)
    for package, part in _NPM.items():
        shutil.copytree(reference.npm_package(package) / part, folder / "npm" / package)
    return _counted("large", folder)


def deep(folder: Path) -> Tree:
    """The whole of echarts: modules in chains that are longer than five."""
    shutil.copytree(reference.npm_package("echarts"), folder)
    return _counted("echarts", folder)


def _counted(name: str, folder: Path) -> Tree:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return Tree(name, folder, len(sizes), sum(sizes) / _MB)
