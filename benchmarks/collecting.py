"""One tree of static files, built by us and collected by Django, by turns."""

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import spent
from benchmarks.asset_trees import Tree
from benchmarks.samples import median
from benchmarks.servers import ROOT
from benchmarks.spent import Spent
from tests.support import reference

_DRIVER = ROOT / "tests" / "reference" / "django_collect.py"
_READ_AND_HASH = """
import hashlib, os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            hashlib.file_digest(file, "md5")
"""


@dataclass
class Runs:
    """Of one command: into a folder that is not there, and again when nothing has changed.

    Every turn makes a folder of its own, and nothing is removed in between: ext4 hands out no inode
    that was freed in the last seconds, and looks for others, a millisecond for each file.
    """

    command: Callable[[Path], list[str]]
    folder: Path
    first: list[Spent] = field(default_factory=list)
    again: list[Spent] = field(default_factory=list)
    #: MiB.
    memory: float = 0.0

    def turn(self) -> None:
        command = self.command(self._new())
        for runs in (self.first, self.again):
            os.sync()  # what was written before is not written now
            runs.append(spent.run(command, cwd=ROOT))

    def look_at_memory(self) -> None:
        self.memory = spent.peak_memory(self.command(self._new()), cwd=ROOT)

    def _new(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder)) / "out"


class Collecting:
    """With `modules`, imports of JavaScript are followed; `patient` lets Django go over the tree
    more often than its default of five times.
    """

    def __init__(self, tree: Tree, scratch: Path, *, modules: bool, patient: bool = False) -> None:
        self.tree, self.modules, self.patient = tree, modules, patient
        self.ours = _ours(tree, scratch, modules=modules)
        self.django = _djangos(tree, scratch, modules=modules, patient=patient)
        self._reading: list[Spent] = []

    def run(self, turns: int) -> None:
        """By turns, so that a slow minute of the machine hits both."""
        for runs in (self.ours, self.django):
            runs.look_at_memory()  # what both read is in the machine's memory afterwards
        read = [sys.executable, "-c", _READ_AND_HASH, str(self.tree.folder)]
        for _ in range(turns):
            self._reading.append(spent.run(read, cwd=ROOT))
            self.ours.turn()
            self.django.turn()

    @property
    def reading(self) -> float:
        """Seconds to read every file and hash its bytes, in one process and with nothing else."""
        return wall(self._reading)


def wall(runs: list[Spent]) -> float:
    return median([run.wall for run in runs])


def cpu(runs: list[Spent]) -> float:
    return median([run.cpu for run in runs])


def _ours(tree: Tree, folder: Path, *, modules: bool) -> Runs:
    way = "--js-modules" if modules else "--no-js-modules"
    words = [sys.executable, "-m", "worker.assets", "build", "--lenient", way, str(tree.folder)]
    return Runs(lambda out: [*words, str(out)], folder)


def _djangos(tree: Tree, folder: Path, *, modules: bool, patient: bool) -> Runs:
    flags = ["--modules"] * modules + ["--lenient"] * patient
    words = [str(reference.django()), str(_DRIVER)]
    return Runs(lambda out: [*words, str(out), str(tree.folder), *flags], folder)
