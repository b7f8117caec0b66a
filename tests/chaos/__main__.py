"""`python -m tests.chaos`: the fault campaign, then the judge's report; exit code 1 when red."""

import argparse
import asyncio
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.chaos import judge
from tests.chaos.campaign import network
from tests.chaos.campaign.network import Loopback, Namespaces
from tests.chaos.campaign.run import Options, left_out, run
from tests.chaos.campaign.schedule import Kind


def main() -> int:
    arguments = _arguments()
    why = "--loopback" if arguments.loopback else network.lacking()
    missing = list(left_out(why))
    options = Options(
        seed=random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed,
        seconds=arguments.seconds,
        jobs=arguments.jobs,
        is_fenced=not arguments.without_fencing,
        only=frozenset(arguments.only),
    )
    folder = Path(tempfile.mkdtemp(prefix="liftlock-chaos-"))
    places = Loopback() if why else Namespaces(os.urandom(3).hex())
    try:
        history = asyncio.run(_interruptible(run(options, folder, places=places, missing=missing)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"interrupted; the logs are in {folder}")
        return 130
    finally:
        places.remove()
    verdict = judge.judge(history)
    print(judge.report(verdict))
    if arguments.json:
        arguments.json.write_text(judge.as_json(verdict))
    if verdict.is_green and not arguments.keep:
        shutil.rmtree(folder)
    else:
        print(f"kept      {folder}")
    seed = [] if arguments.seed is not None else [f"--seed={options.seed}"]
    print(f"again     python -m tests.chaos {shlex.join([*sys.argv[1:], *seed])}")
    return 0 if verdict.is_green else 1


async def _interruptible(work: Coroutine[Any, Any, judge.History]) -> judge.History:
    """TERM ends it as Ctrl-C does: with everything it made."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of an earlier run, to see its faults again")
    parser.add_argument("--seconds", type=float, default=360, help="of faults (%(default)s)")
    parser.add_argument("--jobs", type=int, default=150, help="asked for (%(default)s)")
    parser.add_argument("--loopback", action="store_true", help="no namespaces, no partitions")
    parser.add_argument("--without-fencing", action="store_true", help="it must turn red")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the verdict for programs")
    parser.add_argument("--keep", action="store_true", help="logs and data, also when green")
    parser.add_argument(
        "--only", type=Kind, action="append", default=[], help="this kind of fault; repeatable"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
