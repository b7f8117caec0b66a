"""Files to a host: many small ones, the same again unchanged, and one large one."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh

from benchmarks import machines
from benchmarks.rig import Rig
from benchmarks.row import Better, Figure, Row
from benchmarks.samples import median
from worker.remote.host import Host
from worker.remote.hosts import Pool

NAME = "files"
SMALL, SMALL_BYTES = 2000, 4096
_MEGA = 1024 * 1024


async def measure(rig: Rig) -> list[Row]:
    small, large, size = (
        rig.servers.folder / "small",
        rig.servers.folder / "large",
        rig.few(200, 64),
    )
    _make(small, SMALL, SMALL_BYTES)
    _make(large, 1, size * _MEGA)
    async with machines.machines(rig.servers) as hosts, Pool() as pool:
        host = pool.hosts([hosts[0].identity]).host(hosts[0].address)
        async with hosts[0].connect() as connection:
            times = rig.few(3, 2)
            return [
                *await _small(host, connection, hosts[0].home, small, times),
                await _large(host, connection, hosts[0].home / "copied", large, times),
            ]


async def _small(
    host: Host, connection: asyncssh.SSHClientConnection, home: Path, source: Path, times: int
) -> list[Row]:
    ours = await _seconds(lambda number: _send(host, source, f"small-{number}"), times)
    again = await _seconds(lambda _: _send(host, source, "small-0", sends=0), times)
    sftp = await _seconds(lambda _: _sftp(connection, source, home / "sftp"), 1)
    tar = await _seconds(lambda _: _tar(connection, source, home / "tar"), times)
    many, peer = f"{SMALL:,} files of 4 KiB to a host", Figure(sftp, "sftp (asyncssh)")
    note = (
        f"To {machines.kind()}, warm, compared by sha256 on both sides; whole files only appear."
        " The limit is `tar` here piped into `tar` there through bare asyncssh, unchecked."
    )
    limit = Figure(tar, "tar | tar")
    return [
        Row(many, "s", Better.LESS, ours, 0.2, peer=peer, limit=limit, note=note),
        Row("the same, unchanged", "s", Better.LESS, again, peer=peer, note=note),
    ]


async def _large(
    host: Host,
    connection: asyncssh.SSHClientConnection,
    there: Path,
    source: Path,
    times: int,
) -> Row:
    size = (source / "0.bin").stat().st_size / _MEGA
    ours = await _seconds(lambda number: _send(host, source, f"large-{number}"), times)
    scp = await _seconds(lambda _: _scp(connection, source, there), times)
    cat = await _seconds(lambda _: _cat(connection, source, there), times)
    return Row(
        f"one file of {size:.0f} MB to a host",
        "MB/s",
        Better.MORE,
        size / ours,
        200,
        peer=Figure(size / scp, "scp (asyncssh)"),
        limit=Figure(size / cat, "cat > file"),
        note="Random bytes, warm. The limit is `cat` through bare asyncssh, unchecked.",
    )


def _make(folder: Path, count: int, size: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.bin").write_bytes(os.urandom(size))


async def _send(host: Host, source: Path, to: str, *, sends: int | None = None) -> None:
    sent = await host.send(source, to)
    wanted = sent.files if sends is None else sends
    if sent.sent_files != wanted:
        raise RuntimeError(f"{sent.sent_files} files were sent and {wanted} had to be.")


async def _sftp(connection: asyncssh.SSHClientConnection, source: Path, to: Path) -> None:
    async with connection.start_sftp_client() as client:
        await client.put(str(source), str(to), recurse=True)


async def _scp(connection: asyncssh.SSHClientConnection, source: Path, to: Path) -> None:
    await asyncssh.scp(str(source / "0.bin"), (connection, str(to)))


async def _tar(connection: asyncssh.SSHClientConnection, source: Path, to: Path) -> None:
    await _pipe(connection, f"mkdir -p '{to}' && tar -xf - -C '{to}'", f"tar -cf - -C '{source}' .")


async def _cat(connection: asyncssh.SSHClientConnection, source: Path, to: Path) -> None:
    await _pipe(connection, f"cat > '{to}'", f"cat '{source / '0.bin'}'")


async def _pipe(connection: asyncssh.SSHClientConnection, there: str, here: str) -> None:
    """What the command here prints becomes the input of the command there."""
    program = await asyncio.create_subprocess_shell(here, stdout=asyncio.subprocess.PIPE)
    assert program.stdout is not None  # noqa: S101 - asked for above
    process = await connection.create_process(there, encoding=None)
    while block := await program.stdout.read(256 * 1024):
        process.stdin.write(block)
        await process.stdin.drain()
    process.stdin.write_eof()
    await process.wait(check=True)
    await program.wait()


async def _seconds(act: Callable[[int], Awaitable[None]], times: int) -> float:
    took = []
    for number in range(times):
        began = time.perf_counter()
        await act(number)
        took.append(time.perf_counter() - began)
    return median(took)
