"""Contents of files, kept by their sha256 from release to release, and room to work in.

Several workers may share the folder. In `objects` there is one file for each content; it is put
there whole, by renaming, and its time says when it was last wanted.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from worker.engine.assets import rooms
from worker.engine.assets.rooms import Room
from worker.remote.fetching import is_there, place_of
from worker.remote.host import Listed

#: Bytes of contents that are kept; the ones that were not wanted for longest go first.
MOST = 5 * 2**30
#: Seconds after which what was wanted last may go: until then somebody may be working with it.
_RESTS = 3600.0
#: The rights of other users than the worker's own.
_OTHERS = 0o077
#: Seconds after which what another worker left in the middle is removed.
_LEFT = 86_400.0


class AssetCache:
    """All methods block, and raise OSError."""

    def __init__(self, folder: Path, *, most: int = MOST) -> None:
        self._folder, self._most = folder, most
        self.objects = folder / "objects"

    def lacking(self, files: Sequence[Listed]) -> list[Listed]:
        """One file for each content that is not here; the others count as wanted now."""
        self._make(self.objects)
        found: dict[str, Listed] = {}
        for file in {file.sha256: file for file in files}.values():
            if is_there(self.objects, file):
                os.utime(place_of(self.objects, file))
            else:
                found[file.sha256] = file
        return list(found.values())

    def make_room(self) -> Room:
        """On the same file system; whoever asked for it leaves it."""
        work = self._folder / "work"
        self._make(work)
        return rooms.enter(work)

    def lay_out(self, files: Sequence[Listed], tree: Path) -> None:
        """The files by their paths: links to the contents, or copies where links cannot be."""
        made = {tree}
        tree.mkdir()
        for file in files:
            place = tree / file.path
            if place.parent not in made:
                place.parent.mkdir(parents=True, exist_ok=True)
                made.add(place.parent)
            source = place_of(self.objects, file)
            try:
                place.hardlink_to(source)
            except (FileExistsError, FileNotFoundError):
                # What is there is a content of the cache under another name: none may change.
                raise
            except OSError:  # too many links, or a file system without
                shutil.copyfile(source, place)

    def shrink(self) -> None:
        """Remove what was not wanted for longest, until the rest fits; nothing of the last hour."""
        now = time.time()
        found = []
        with os.scandir(self.objects) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    told = entry.stat()
                    found.append((told.st_mtime, told.st_size, Path(entry.path)))
        held = sum(size for _, size, _ in found)
        for wanted, size, path in sorted(found):
            is_left = path.name.startswith(".part-") and now - wanted > _LEFT
            if is_left or (held > self._most and now - wanted > _RESTS):
                path.unlink(missing_ok=True)
                held -= size

    def _make(self, folder: Path) -> None:
        """For this user alone: a site's files may be refused because nobody should read them."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for made in (self._folder, folder):
            if made.stat().st_mode & _OTHERS:
                made.chmod(0o700)
