"""Folders to work in, each locked while its worker lives: what a killed one left is removed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LOCK = "lock"


@dataclass(frozen=True)
class Room:
    path: Path
    _lock: int

    def leave(self) -> None:
        """Removes it; blocks."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def enter(folder: Path) -> Room:
    """A new room in the folder, for this user alone. Blocks, and raises OSError.

    Rooms that nobody is in are removed first.
    """
    with _locked(folder / _LOCK):
        for path in folder.iterdir():
            if path.is_dir() and _is_left(path):
                shutil.rmtree(path, ignore_errors=True)
        # Under the lock: nobody takes a room for left that is not locked yet.
        room = Path(tempfile.mkdtemp(dir=folder))
        return Room(room, _taken(room / _LOCK))


def _is_left(room: Path) -> bool:
    """Whether nobody holds its lock; one without was left in the middle of making or removing."""
    try:
        lock = os.open(room / _LOCK, os.O_RDWR)
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _taken(path: Path) -> int:
    """Not passed on to programs: a build that outlives its worker keeps no room."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = _taken(path)
    try:
        yield
    finally:
        os.close(lock)
