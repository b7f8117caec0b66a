"""What a build was made of, so that the next can see that nothing has changed without repeating it.

The same program makes the same of the same files: their digests are compared, and no text is read.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    #: SHA-256 of each original that was rewritten; the new name of any other tells of it.
    rewritten: Mapping[str, str]
    #: What was found in the files, and was no reason to stop.
    problems: tuple[Problem, ...]
    #: SHA-256 of the manifest that it belongs to.
    manifest: str = ""

    @classmethod
    def read(cls, text: bytes, *, manifest: bytes) -> Self | None:
        """None for what an earlier version wrote, or somebody else, or for another manifest: then
        all is made again.
        """
        try:
            told: dict[str, Any] = json.loads(text)
            if told["manifest"] != _sha256(manifest):
                return None
            problems = tuple(_problem(item) for item in told["problems"])
            return cls(told["way"], dict(told["rewritten"]), problems, told["manifest"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def of(self, manifest: bytes) -> Self:
        return replace(self, manifest=_sha256(manifest))

    def as_json(self) -> bytes:
        problems = [problem.as_json() for problem in self.problems]
        return json.dumps({**vars(self), "problems": problems}, sort_keys=True).encode()

    def tells_of(self, made: Manifest, found: Mapping[str, Digest]) -> bool:
        """Whether the build with this manifest was made of files with these digests, both of the
        same paths; of those that were rewritten the texts have to be compared.
        """
        return all(
            path in self.rewritten
            or (
                asset.size == found[path].size
                and asset.name == hashed_path(path, found[path].short)
            )
            for path, asset in made.files.items()
        )

    def is_text(self, path: str, content: bytes) -> bool:
        """Whether this is the original that was rewritten."""
        return _sha256(content) == self.rewritten[path]


def way_of(options: Options) -> str:
    """Other options change nothing in a file, or are compared by themselves."""
    told = [sys.hexversion, options.js_modules, options.base_url, sorted({*options.compress})]
    whole = hashlib.sha256(json.dumps(told).encode())
    root = Path(__file__).parents[1]
    for name in _PROGRAM:
        for file in sorted((root / name).glob("*.py")) or [root / name]:
            whole.update(file.read_bytes())
    return whole.hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _problem(told: dict[str, Any]) -> Problem:
    """Raises TypeError for what a problem has not, and for other types."""
    problem = Problem(**{**told, "nearest": tuple(told.get("nearest", ()))})
    texts = (problem.code, problem.message, problem.file or "", problem.reference or "")
    if not all(isinstance(text, str) for text in (*texts, *problem.nearest)):
        raise TypeError
    if not isinstance(problem.line or 0, int):
        raise TypeError
    return problem
