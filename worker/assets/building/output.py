"""The folder that a build makes: put together beside its place, and moved there whole."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from worker.assets.building.earlier import Earlier
from worker.assets.building.exchange import exchange
from worker.assets.manifest import OWN, BadManifest
from worker.assets.problem import AssetError, Problem
from worker.assets.tree import disk_name

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Staging:
    """A folder beside the output, on its file system, locked as long as its maker lives."""

    def __init__(self, folder: Path) -> None:
        #: What becomes the output.
        self.tree = folder / "tree"
        #: For what compilers and bundles make.
        self.scratch = folder / "scratch"
        self.old = folder / "old"

    def make_folders(self, folders: Iterable[str]) -> None:
        """Those of the output, each after the one that it is in."""
        for folder in ("", *sorted(folders)):
            made = self.tree / disk_name(folder)
            made.mkdir()
            made.chmod(0o755)


@contextmanager
def staging(out: Path) -> Iterator[Staging]:
    """Gone afterwards, whatever happens; so are those of builds that were killed.

    Raises AssetError when the folder of `out` cannot be written.
    """
    prefix = f".{out.name}.building-"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out, prefix)
        folder, lock = _locked(out.parent, prefix)
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        made = Staging(folder)
        made.scratch.mkdir()
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def scratch_only() -> Iterator[Staging]:
    """For a build that makes nothing: room for compilers and bundles, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="liftlock-assets-") as folder:
        made = Staging(Path(folder))
        made.scratch.mkdir()
        yield made


def check_place(out: Path, sources: Sequence[Path]) -> Earlier | None:
    """The build that is there, if there is one.

    Raises AssetError unless `out` is free, or an earlier build, and apart from the sources.
    """
    for source in sources:
        real, root = os.path.realpath(out), os.path.realpath(source)
        if f"{real}/".startswith(f"{root}/") or f"{root}/".startswith(f"{real}/"):
            message = f"{out} and the source {source} are one in the other; name another output"
            raise AssetError([Problem("output-refused", message)])
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise _not_ours(out, "is no folder")
    if out.exists() and any(out.iterdir()):
        try:
            found = Earlier.read(out)
        except FileNotFoundError:
            raise _not_ours(out, f"is not empty and has no {OWN}") from None
        except (OSError, BadManifest) as error:
            raise _not_ours(out, f"has a {OWN} that cannot be read ({error})") from error
        if strangers := found.strangers:
            raise _not_ours(out, f"holds {strangers[0]!r}, which no build put there")
        return found
    return None


def move_into_place(made: Staging, out: Path) -> None:
    """A reader sees the earlier build or the new one, each whole.

    Nothing waits for the disk: what a power cut takes has another size or digest than the manifest
    says, so the next build replaces the folder, and publishing refuses it.
    """
    parent = os.open(out.parent, _OPEN_FOLDER)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)  # two builds take turns
        if out.exists() and any(out.iterdir()):
            _exchange(made.tree, out, aside=made.old)
        else:
            made.tree.rename(out)
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        os.close(parent)


def _exchange(new: Path, out: Path, *, aside: Path) -> None:
    if exchange(new, out):
        return
    # A file system without it: for a moment there is none. Whoever finds that puts it back.
    out.rename(aside)
    try:
        new.rename(out)
    except BaseException:
        aside.rename(out)
        raise


def _locked(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = os.open(folder, _OPEN_FOLDER)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)  # another build took it for abandoned, just before it was locked


def _remove_abandoned(out: Path, prefix: str) -> None:
    for folder in out.parent.glob(f"{_literally(prefix)}*"):
        with suppress(OSError):
            lock = os.open(folder, _OPEN_FOLDER | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not out.exists() and Staging(folder).old.exists():
                    Staging(folder).old.rename(out)  # killed between two renames
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def _literally(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _not_ours(out: Path, found: str) -> AssetError:
    message = f"{out} {found}, so it is no earlier build and is left alone"
    return AssetError([Problem("output-refused", message)], f"name another folder, or empty {out}")


def _unwritable(out: Path, error: OSError) -> AssetError:
    message = f"{out}: cannot be put in place: {error}"
    hint = "the folder that it is in must be writable and on the same file system"
    return AssetError([Problem("output-refused", message)], hint)
