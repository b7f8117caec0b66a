"""The programs and static files that others wrote, for tests marked `reference`.

They are fetched once, by pip and npm, into the folder that TEST_REFERENCE names; without it, into
one below the user's cache.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1] / "reference"
_VERSION = "3.12"

#: The trees of static files by name: folders below the Python packages, or one npm package.
PACKAGES = {
    "django": (
        "django/contrib/admin/static",
        "django/contrib/gis/static",
        "wagtail/**/static",
        "oscar/static",
        "rest_framework/static",
    ),
    "reviewboard": ("reviewboard/htdocs/static",),
}
#: A package, and the folder in it.
NPM = {
    "bootstrap": ("bootstrap", "."),
    "fontawesome": ("@fortawesome/fontawesome-free", "."),
    "tinymce": ("tinymce", "."),
    "monaco": ("monaco-editor", "."),
    "monaco-esm": ("monaco-editor", "esm"),
    "three": ("three", "."),
    "echarts": ("echarts", "."),
}
TREES = (*PACKAGES, *NPM)


def sources(tree: str) -> list[Path]:
    """The folders whose files a tree has; the first that has a file wins."""
    if tree in NPM:
        package, part = NPM[tree]
        return [npm_package(package) / part]
    packages = next((django().parents[1] / "lib").glob("python*/site-packages"))
    found = [path for pattern in PACKAGES[tree] for path in sorted(packages.glob(pattern))]
    return [path for path in found if path.is_dir() and "project_template" not in path.parts]


def django() -> Path:
    """A Python that has Django and the packages above."""
    wanted: list[str] = versions()["python"]
    folder = once(f"django-{digest(*wanted)}", lambda new: _install(new, wanted))
    return folder / "bin" / "python"


def css_parser() -> Path:
    """A Python that has tinycss2."""
    wanted: list[str] = versions()["css"]
    folder = once(f"css-{digest(*wanted)}", lambda new: _install(new, wanted))
    return folder / "bin" / "python"


def npm_package(name: str) -> Path:
    """The package's own files, without its dependencies."""
    wanted = f"{name}@{versions()['npm'][name]}"
    return once(wanted.strip("@").replace("/", "-"), lambda new: _unpack(new, wanted))


def versions() -> dict[str, Any]:
    return tomllib.loads((HERE / "versions.toml").read_text())


def cache() -> Path:
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("TEST_REFERENCE") or Path(users) / "liftlock-reference")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, made by one process and then kept.

    What is there is whole, because a mark is written at the end.
    """
    folder = cache() / name
    done = folder.with_name(f"{folder.name}.done")
    with _locked(folder.with_name(f"{folder.name}.lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


def python() -> str:
    """A Python that Django 6.1 runs on, which may be newer than Liftlock's."""
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    places = [shutil.which(f"python{_VERSION}"), *kept.glob(f"{_VERSION}.*/bin/python{_VERSION}")]
    for place in filter(None, places):
        # A shim of pyenv is there even for a version that is not chosen.
        if _succeeds([str(place), "-c", "import ensurepip"]):
            return str(place)
    raise RuntimeError(
        f"The tests marked `reference` need Python {_VERSION}, and there is none on PATH or in"
        f" {kept}. Install it, or leave them out: pytest -m 'not reference'"
    )


def _install(folder: Path, wanted: list[str]) -> None:
    _run([python(), "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--disable-pip-version-check", "--no-deps", "--no-compile", *wanted])


def _unpack(folder: Path, wanted: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as packed:
        _run(["npm", "pack", "--silent", "--pack-destination", packed, wanted])
        archive = next(Path(packed).glob("*.tgz"))
        with tarfile.open(archive) as tar:
            tar.extractall(packed, filter="data")
        # Nearly every package calls its folder `package`.
        inner = next(path for path in Path(packed).iterdir() if path.is_dir())
        inner.rename(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr or done.stdout}")


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
