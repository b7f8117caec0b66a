"""One HTTP/1.1 answer, read to its last byte."""

import asyncio
from dataclasses import dataclass


class Broken(Exception):
    """A request that was not answered rightly; `kind` says how."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    #: Whether the server keeps the connection.
    keep: bool


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Raises Broken: `reset` when nothing came, `short` when not all of it did."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    except asyncio.IncompleteReadError as error:
        raise Broken("short" if error.partial else "reset") from error
    except OSError as error:
        raise Broken("reset") from error
    status, keep = int(head[9:12]), b"\r\nconnection: close\r\n" not in head
    try:
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            return Reply(status, await _chunks(reader), keep)
        return Reply(status, await reader.readexactly(_length(head)), keep)
    except (OSError, EOFError) as error:
        raise Broken("short") from error


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return bytes(body)


def _length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if not found:
        raise Broken("no length")
    return int(rest.partition(b"\r\n")[0])
