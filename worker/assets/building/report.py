"""What a build came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.assets.manifest import Manifest
from worker.assets.problem import Problem

#: As many problems as a program is told of; beyond, it gets the number.
MOST_TOLD = 200


def told(name: str, problems: Sequence[Problem]) -> dict[str, Any]:
    """The first of them as JSON, and how many there are."""
    first = [problem.as_json() for problem in problems[:MOST_TOLD]]
    return {name: first, f"{name}_total": len(problems)}


@dataclass(frozen=True)
class Built:
    directory: Path
    manifest: Manifest
    #: Sorted by file, line and kind.
    warnings: tuple[Problem, ...]
    #: Whether the folder held this very build already, and was left as it is.
    unchanged: bool
    seconds: float

    @property
    def files(self) -> int:
        return len(self.manifest.files)

    @property
    def bytes(self) -> int:
        """Of the files with a hash, without originals and compressed copies."""
        return sum(asset.size for asset in self.manifest.files.values())

    @property
    def copies(self) -> int:
        return sum(len(asset.copies) for asset in self.manifest.files.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "directory": str(self.directory),
            "hash": self.manifest.hash,
            "files": self.files,
            "bytes": self.bytes,
            "copies": self.copies,
            "unchanged": self.unchanged,
            "seconds": round(self.seconds, 3),
            **told("warnings", self.warnings),
        }
