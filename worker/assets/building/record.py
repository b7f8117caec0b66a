"""What a build was made of, so that the next can see that nothing has changed without repeating it.

The same program makes the same of the same files: their digests are compared, and no text is read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from worker.assets.building.hashing import Digest
from worker.assets.building.options import Options
from worker.assets.manifest import Manifest
from worker.assets.problem import Problem
from worker.assets.url import hashed_path

#: What decides about the bytes of a build, below the package of the assets.
_PROGRAM = ("building", "readers", "manifest.py", "tree.py", "url.py")


@dataclass(frozen=True)
class Record:
    #: Digest of the program and of the options that decide what is made.
    way: str
    #: The beginning of the MD5 of each original that was rewritten: its new name tells another.
    rewritten: Mapping[str, str]
    #: What was found in the files, and was no reason to stop.
    problems: tuple[Problem, ...]

    @classmethod
    def read(cls, text: bytes) -> Self | None:
        """None for what an earlier version wrote, or somebody else: then all is made again."""
        try:
            told: dict[str, Any] = json.loads(text)
            problems = tuple(_problem(item) for item in told["problems"])
            return cls(str(told["way"]), dict(told["rewritten"]), problems)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def as_json(self) -> bytes:
        problems = [problem.as_json() for problem in self.problems]
        told = {"way": self.way, "rewritten": self.rewritten, "problems": problems}
        return json.dumps(told, sort_keys=True).encode()

    def tells_of(self, made: Manifest, found: Mapping[str, Digest]) -> bool:
        """Whether the build with this manifest was made of files with these digests."""
        return made.files.keys() == found.keys() and all(
            self._is_from(digest, path, asset.name, asset.size)
            for path, digest in found.items()
            for asset in (made.files[path],)
        )

    def _is_from(self, digest: Digest, path: str, name: str, size: int) -> bool:
        if before := self.rewritten.get(path):
            return before == digest.short
        return size == digest.size and name == hashed_path(path, digest.short)


def way_of(options: Options) -> str:
    """Other options change nothing in a file, or are compared by themselves."""
    told = [options.js_modules, options.base_url, sorted({*options.compress})]
    whole = hashlib.sha256(json.dumps(told).encode())
    root = Path(__file__).parents[1]
    for name in _PROGRAM:
        for file in sorted((root / name).glob("*.py")) or [root / name]:
            whole.update(file.read_bytes())
    return whole.hexdigest()


def _problem(told: dict[str, Any]) -> Problem:
    return Problem(**{**told, "nearest": tuple(told.get("nearest", ()))})
