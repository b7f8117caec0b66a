"""The site that is switched: fast, slow and streamed answers, each with the name of its server.

Runs alone on a host, from a repository of its own: nothing but the standard library.
"""

import asyncio
import json
import os
import signal
from contextlib import suppress

#: Seconds of a slow answer, and of a streamed one, which has so many lines.
SLOW, STREAMED, LINES = 2.0, 1.5, 15
_LARGEST = 64 * 1024


class Site:
    """Counts the requests under way; broken, it answers 500 to everything but its own words."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.under_way = 0
        self.answered = 0
        self.broken = False
        self.stopping = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept open as long as its client wants."""
        with suppress(OSError, EOFError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                method, path, _ = head.split(b" ", 2)
                await self._answer(method.decode(), path.decode(), body, writer)
        writer.close()

    async def _answer(
        self, method: str, path: str, body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        _, kind, *rest = path.split("/")
        if kind in {"stats", "break", "quit"}:
            self.broken = self.broken or (method, kind) == ("POST", "break")
            if (method, kind) == ("POST", "quit"):
                self.stopping.set()
            counts = {"under_way": self.under_way, "answered": self.answered}
            await _whole(writer, 200, json.dumps(counts).encode())
            return
        self.under_way += 1
        try:
            await self._page(kind, "/".join(rest), body, writer)
        finally:
            self.under_way -= 1
            self.answered += 1

    async def _page(self, kind: str, rest: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if self.broken:
            await _whole(writer, 500, b"broken\n")
            return
        if kind == "stream":
            await self._stream(rest, writer)
            return
        if kind == "slow":
            await asyncio.sleep(SLOW)
        said = body.decode() if kind == "echo" else rest
        await _whole(writer, 200, f"{kind} {said} from {self.name}\n".encode())

    async def _stream(self, rest: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(LINES):
            await asyncio.sleep(STREAMED / LINES)
            line = f"stream {rest}.{number} from {self.name}\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _whole(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    words = "OK" if status == 200 else "Internal Server Error"  # noqa: PLR2004
    head = f"HTTP/1.1 {status} {words}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def main() -> None:
    site, port = Site(os.environ["PORT"]), int(os.environ["PORT"])
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, site.stopping.set)
    server = await asyncio.start_server(site.serve, os.environ["BIND"], port, limit=_LARGEST)
    await site.stopping.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
