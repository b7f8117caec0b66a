"""Publishing 1,229 files of 150 MB to a real S3 server, beside bare obstore and `aws s3 sync`.

Usage: python -m benchmarks.assets_upload [--turns N] [--json FILE]
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks import bare_uploads, machine, table
from benchmarks.bare_uploads import Contest, timed
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import median
from tests.support import object_store, servers
from tests.support.built_folders import write_built
from worker.assets.publishing.publish import publish
from worker.assets.publishing.store import open_store

FILES, BYTES = 1_229, 150_000_000
#: The unit of the target: as many times as bare obstore takes.
_TIMES = 1.3
_NOTE = (
    f"{FILES:,} files of {BYTES / 1e6:.0f} MB to SeaweedFS on this machine, 16 at once, in turns."
    " Liftlock and obstore run in this process, `aws s3 sync` as a command. Liftlock also puts"
    " manifests and its intent, compares each file with its manifest and has its checksum verified."
    " The target is bare obstore as it comes; the limit is bare obstore with the content types and"
    " headers that browsers need, as SeaweedFS works longer for text types."
)
_NO_AWS = " `aws` is not installed here, so there is no figure of it."


def make_tree(folder: Path) -> Path:
    """A built folder; the sizes are spread as those of a site's files are."""
    lot = random.Random(5)  # noqa: S311 - the same tree each time
    spread = [min(lot.lognormvariate(0, 1.3), 30.0) for _ in range(FILES)]
    sizes = [max(40, int(part * BYTES / sum(spread))) for part in spread]
    names = [f"{number % 40}/file{number}.js" for number in range(FILES)]
    write_built(
        folder, {name: lot.randbytes(size) for name, size in zip(names, sizes, strict=True)}
    )
    return folder


async def measure(built: Path, server: object_store.ObjectStore, *, turns: int) -> list[Row]:
    ours, bare, told, peer = Contest(), Contest(), Contest(), Contest()
    for _ in range(turns):
        await _liftlock(built, ours)
        await bare_uploads.sync(built, server, bare, bare_uploads.no_headers)
        await bare_uploads.sync(built, server, told, bare_uploads.our_headers(built))
        if shutil.which("aws"):
            await _aws(built, server, peer)
    return [
        _row("upload, first", ours.first, bare.first, told.first, peer.first),
        _row("upload, nothing changed", ours.again, bare.again, told.again, peer.again),
    ]


def _row(
    what: str, ours: list[float], bare: list[float], told: list[float], peer: list[float]
) -> Row:
    return Row(
        f"{what}: {FILES:,} files",
        "s",
        Better.LESS,
        median(ours),
        target=median(bare) * _TIMES,
        peer=Figure(median(peer), "aws s3 sync") if peer else None,
        limit=Figure(median(told), "obstore with headers"),
        note=f"{_NOTE} Bare obstore: {median(bare):.2f} s.{'' if peer else _NO_AWS}",
    )


async def _liftlock(built: Path, contest: Contest) -> None:
    store = open_store(f"s3://{object_store.BUCKET}/{secrets.token_hex(6)}")
    contest.first.append(await timed(lambda: publish(built, store, "v1")))
    contest.again.append(await timed(lambda: publish(built, store, "v1")))


async def _aws(built: Path, server: object_store.ObjectStore, contest: Contest) -> None:
    target = f"s3://{object_store.BUCKET}/{secrets.token_hex(6)}"
    argv = ["aws", "--endpoint-url", server.endpoint, "s3", "sync", "--only-show-errors"]

    async def sync() -> None:
        process = await asyncio.create_subprocess_exec(*argv, str(built), target)
        if await process.wait():
            raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}")

    contest.first.append(await timed(sync))
    contest.again.append(await timed(sync))


def rows(scratch: Path, *, turns: int) -> list[Row]:
    """Starts the server below `scratch`, measures, and ends the server."""
    built = make_tree(scratch / "upload")
    with _server(scratch) as server:
        return asyncio.run(measure(built, server, turns=turns))


@contextmanager
def _server(scratch: Path) -> Iterator[object_store.ObjectStore]:
    folder = scratch / "object-store"
    folder.mkdir()
    server, argv = object_store.prepared(folder)
    os.environ.update(server.environment())
    with (scratch / "object-store.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        servers.wait_until(server.answers, "SeaweedFS to answer")
        yield server
    finally:
        process.kill()
        process.wait()


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console()
    console.print(machine.described(), highlight=False)
    scratch = Path(tempfile.mkdtemp(prefix="liftlock-bench-"))
    try:
        found = rows(scratch, turns=options.turns)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    table.show(console, found)
    if options.json:
        options.json.write_text(json.dumps([table.as_json(row) for row in found], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.assets_upload")
    parser.add_argument("--turns", type=int, default=3, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
