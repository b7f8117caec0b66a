"""Files to a host: one question which of them it lacks, one stream with these alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncssh

from worker.remote import calls, runner, tree
from worker.remote.conversation import Delivery, Interrupted, refuse
from worker.remote.errors import FolderOutside
from worker.remote.host import Fence, Sent
from worker.remote.lines import Lines, Process
from worker.remote.link import Link
from worker.remote.tree import Tree

#: Seconds without any progress, after which the host counts as lost.
_STALL = 60.0
#: Seconds for the host to read through all files.
_READING = 600.0


async def send(
    link: Link, source: Path, to: str, fence: Fence | None = None, *, within: str | None = None
) -> Sent:
    """See `Host.send`."""
    found = await asyncio.to_thread(tree.read, source, runner.relative(to))
    what = f"Sending {source} to {to}"
    return await calls.repeated(link, what, lambda: _send(link, found, fence, within))


async def _send(link: Link, found: Tree, fence: Fence | None, within: str | None) -> Sent:
    listing = await _compare(link, found, fence)
    missing = await asyncio.to_thread(found.missing, listing)
    sent = [entry for entry in missing if not entry.is_folder]
    if missing:
        mark = runner.new_mark()
        line = runner.command_line(link.address, "receive")
        head = runner.place(mark, found.folder, fence, **({"WITHIN": within} if within else {}))
        async with _Stream(link, line, head, mark=mark) as stream:
            await stream.pour(tree.pack(missing))
            answer, _ = await stream.outcome(seconds=_READING)
        refuse(link.address, answer)
        if answer.word == "OUTSIDE":
            raise _outside(link, found.folder, answer.rest, within)
        if answer.word != "RECEIVED":
            raise Interrupted("the files arrived damaged")
    return Sent(found.files, len(sent), sum(entry.size for entry in sent))


async def _compare(link: Link, found: Tree, fence: Fence | None) -> bytes:
    mark = runner.new_mark()
    line = runner.command_line(link.address, "compare")
    stdin = runner.place(mark, found.folder, fence) + found.names()
    answer, listing = await calls.ask(Delivery(link, line, stdin, mark=mark), seconds=_READING)
    refuse(link.address, answer)
    return listing


def _outside(link: Link, folder: str, real: str, within: str | None) -> FolderOutside:
    address = link.address
    return FolderOutside(
        f"The folder {folder} on host {address} is {real}: a link leads there. Wanted is a folder "
        f"below {within}, for what others use there would change with it.",
        hint=f"Look at it on {address.host}: ls -la {address.base_dir}/{folder}",
    )


class _Stream(Delivery):
    """Its stdin ends when everything was poured in."""

    async def _open(self, lines: Lines) -> Process:
        process = await lines.exec(self._words)
        process.stdin.write(self._stdin)
        return process

    async def pour(self, chunks: Iterator[bytes]) -> None:
        """Until the end, or until the host wants no more: it says why as its answer."""
        assert self._process is not None  # noqa: S101 - entered
        stdin = self._process.stdin
        ahead = _read(chunks)
        try:
            while chunk := await ahead:
                ahead = _read(chunks)
                stdin.write(chunk)
                async with asyncio.timeout(_STALL):
                    await stdin.drain()
                self._link.heard()
            stdin.write_eof()
        except TimeoutError as error:
            raise Interrupted(f"the host took nothing for {_STALL:g} s") from error
        except (OSError, asyncssh.Error):
            return
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


def _read(chunks: Iterator[bytes]) -> asyncio.Task[bytes]:
    """The next piece, read while the one before it is being sent."""
    return asyncio.create_task(asyncio.to_thread(next, chunks, b""))
