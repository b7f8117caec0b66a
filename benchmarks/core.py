"""`make bench-core`: measure everything in one run, print the table.

Usage: python -m benchmarks.core [--only NAME...] [--quick] [--json FILE]
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from benchmarks import machine, table
from benchmarks.measures import (
    durable_jobs,
    event_stream,
    files,
    http_rates,
    log_lines,
    poll_cost,
    reattach,
    remote_steps,
    start_latency,
)
from benchmarks.rig import Rig
from benchmarks.row import Row
from benchmarks.servers import Servers

MEASURES: tuple[ModuleType, ...] = (
    start_latency,
    durable_jobs,
    http_rates,
    poll_cost,
    log_lines,
    event_stream,
    reattach,
    remote_steps,
    files,
)
#: Seconds for one measurement and for all; what takes longer is reported as broken.
_LONGEST, _ALL = 90, 280


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="liftlock-bench-"))
    servers = Servers(folder)
    try:
        rows, failed = asyncio.run(_run(Rig(servers, quick=options.quick), options.only))
    finally:
        # A second signal must not leave servers behind.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(_document(rows), indent=1) + "\n")
    sys.exit(1 if failed else 0)


async def _run(rig: Rig, only: list[str]) -> tuple[list[Row], bool]:
    console, rows, broken, began = Console(), [], {}, time.monotonic()
    console.print(machine.described(), highlight=False)
    await rig.servers.start()
    for measure in MEASURES:
        if only and measure.NAME not in only:
            continue
        foreign = await machine.foreign_load()
        console.print(f"  {measure.NAME} … (others use {foreign:.0%} of the machine)", style="dim")
        try:
            async with asyncio.timeout(min(_LONGEST, began + _ALL - time.monotonic())):
                rows += await measure.measure(rig)
        except Exception as error:  # noqa: BLE001 - the other rows are still wanted
            broken[measure.NAME] = f"{type(error).__name__}: {error}"
            console.print(f"  {measure.NAME}: {broken[measure.NAME]}", style="red", markup=False)
    table.show(console, rows)
    console.print(f"{time.monotonic() - began:.0f} s. {machine.load()}", highlight=False)
    return rows, bool(broken)


def _document(rows: list[Row]) -> dict[str, Any]:
    return {"machine": machine.described(), "rows": [table.as_json(row) for row in rows]}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core")
    names = [measure.NAME for measure in MEASURES]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=[], metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
