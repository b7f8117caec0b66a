"""`make bench-assets`: builds of static files beside Django's `collectstatic`, and uploads.

Usage: python -m benchmarks.assets [--quick] [--json FILE]

Everything is made below the temporary folder, which TMPDIR names.
"""

import argparse
import asyncio
import compileall
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import asset_trees, assets_upload, machine, table
from benchmarks.collecting import Collecting, cpu, wall
from benchmarks.row import Better, Figure, Row
from benchmarks.servers import ROOT
from tests.support import reference

#: How many times faster than Django a build should be, without and with JavaScript's modules.
_CSS, _MODULES = 5, 10
_PATIENT = " Django gives up after its five passes; here it may make twelve."


def measure(console: Console, scratch: Path, *, quick: bool) -> Iterator[Row]:
    for make, turns in ((asset_trees.site, 5), (asset_trees.large, 3)):
        tree = make(scratch / make.__name__)
        console.print(f"  {tree}", style="dim", highlight=False)
        for modules in (False, True):
            contest = Collecting(tree, scratch, modules=modules)
            contest.run(1 if quick else turns)
            yield from _rows(contest)
    tree = asset_trees.deep(scratch / "deep")
    console.print(f"  {tree}", style="dim", highlight=False)
    contest = Collecting(tree, scratch, modules=True, patient=True)
    contest.run(1)
    yield from _rows(contest)


def _rows(contest: Collecting) -> list[Row]:
    ours, django = contest.ours, contest.django
    way = "modules" if contest.modules else "CSS"
    note = f"{contest.tree}. Medians of {len(ours.first)}, by turns."
    if contest.patient:
        note += _PATIENT

    def timed(what: str, mine: float, theirs: float) -> Row:
        times = _MODULES if contest.modules else _CSS
        limit = Figure(contest.reading, "read + md5")
        return replace(used(what, "s", mine, theirs), target=theirs / times, limit=limit)

    def used(what: str, unit: str, mine: float, theirs: float) -> Row:
        name = f"{contest.tree.name}, {way}: {what}"
        return Row(name, unit, Better.LESS, mine, peer=Figure(theirs, "Django"), note=note)

    return [
        timed("first run", wall(ours.first), wall(django.first)),
        timed("nothing changed", wall(ours.again), wall(django.again)),
        used("processors", "s", cpu(ours.first), cpu(django.first)),
        used("memory", "MiB", ours.memory, django.memory),
    ]


def _compile() -> None:
    """Write the bytecode, which an installation does and a checkout may not."""
    for package in ("app", "worker"):
        compileall.compile_dir(ROOT / package, quiet=1)


def _described() -> str:
    others = ", ".join(reference.versions()["python"][:1]).replace("==", " ")
    ours = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{ours}, {others} on Python 3.12. {machine.load()}"


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console()
    scratch = Path(tempfile.mkdtemp(prefix="liftlock-bench-"))
    try:
        console.print(_described(), highlight=False)
        foreign = asyncio.run(machine.foreign_load())
        console.print(f"  others use {foreign:.0%} of the machine", style="dim")
        _compile()
        rows = list(measure(console, scratch, quick=options.quick))
        rows += assets_upload.rows(scratch, turns=1 if options.quick else 3)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    table.show(console, rows)
    if options.json:
        options.json.write_text(json.dumps([table.as_json(row) for row in rows], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assets")
    parser.add_argument("--quick", action="store_true", help="one run of each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
