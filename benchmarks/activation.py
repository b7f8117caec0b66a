"""`make bench-activation`: activations under load through each router; no request may be lost.

Usage: python -m benchmarks.activation [--only ROUTER...] [--switches N] [--seconds S]
                                       [--without-gate] [--json FILE]

Ends with 0 only when every request of every router was answered rightly, at 500 a second or more.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import fronts, machine, machines
from benchmarks.rig import Rig
from benchmarks.samples import median, percentile
from benchmarks.servers import Servers
from benchmarks.switching import Switching
from benchmarks.tally import Run

#: Requests a second that must be reached, of those that are sent.
WANTED, SENT = 500, 650
_COLUMNS = (
    "router",
    "sent",
    "right",
    "failed",
    "/s",
    "p50, ms",
    "p99, ms",
    "switches",
    "median, s",
    "longest, s",
    "left",
    "broken one",
)


async def _run(servers: Servers, options: argparse.Namespace, kinds: list[str]) -> list[Run]:
    console = Console(width=120)
    console.print(machine.described(), highlight=False)
    foreign = await machine.foreign_load()
    console.print(f"  {machines.kind()}; others use {foreign:.0%} of the machine", style="dim")
    await servers.start()
    runs = []
    async with (
        Rig(servers).liftlock() as api,
        machines.machines(servers, 1) as (host,),
        api.worker("worker.main.WorkerSettings", **_worker(options)),
    ):
        await host.register(api)
        for kind in kinds:
            console.print(f"  {kind} …", style="dim")
            switching = Switching(servers, api, host, rate=SENT)
            runs.append(await switching.through(kind, options.switches, options.seconds))
            _tell(console, runs[-1])
    console.print(_table(runs))
    console.print(
        "p50 and p99 of fast requests; left: requests under way at old servers after their drain.",
        style="dim",
    )
    return runs


def _worker(options: argparse.Namespace) -> dict[str, str]:
    return {"LIFTLOCK_TEST_SKIP_HEALTH_GATE": "1"} if options.without_gate else {}


def _tell(console: Console, run: Run) -> None:
    """The raw counts."""
    traffic = run.traffic
    console.print(
        f"    sent {traffic.sent}, right {dict(traffic.right)}, failed {dict(traffic.wrong)},"
        f" answered by {dict(traffic.servers)}, {traffic.connections} connections",
        highlight=False,
    )
    for line in [*traffic.words, *run.trouble]:
        console.print(f"    {line}", style="red", markup=False)


def _table(runs: list[Run]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "router" else "right")
    for run in runs:
        traffic = run.traffic
        table.add_row(
            run.kind,
            f"{traffic.sent:,}",
            f"{sum(traffic.right.values()):,}",
            str(traffic.failed),
            f"{traffic.rate:.0f}",
            f"{median(traffic.fast or [0]):.2f}",
            f"{percentile(traffic.fast or [0], 99):.1f}",
            str(len(run.took)),
            f"{median(run.took or [0]):.2f}",
            f"{max(run.took, default=0):.2f}",
            str(sum(run.left)),
            run.broken,
            style=None if run.is_green(WANTED) else "red",
        )
    return table


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kinds = options.only or list(fronts.KINDS)
    missing = [kind for kind in kinds if fronts.program(kind) is None]
    for kind in missing:
        sys.stderr.write(f"{kind} is not installed here: it is not measured.\n")
    folder = Path(tempfile.mkdtemp(prefix="liftlock-bench-"))
    servers = Servers(folder)
    try:
        kinds = [kind for kind in kinds if kind not in missing]
        runs = asyncio.run(_run(servers, options, kinds)) if kinds else []
    finally:
        # A second signal must not leave servers behind.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps([run.document() for run in runs], indent=1) + "\n")
    sys.exit(0 if runs and not missing and all(run.is_green(WANTED) for run in runs) else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.activation")
    parser.add_argument("--only", nargs="+", choices=fronts.KINDS, default=[], metavar="ROUTER")
    parser.add_argument("--switches", type=int, default=20, metavar="N", help="of each router")
    parser.add_argument(
        "--seconds", type=float, default=85, metavar="S", help="at most, for the switches of each"
    )
    parser.add_argument(
        "--without-gate",
        action="store_true",
        help="activate a broken server without asking it first: must end red",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
