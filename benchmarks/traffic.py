"""The client of the switches: never repeats a request, and judges every answer.

Usage: python -m benchmarks.traffic PORT NAME FILE [--rate N] [--connections N]

Goes on until SIGTERM, lets what is under way come to its end, and writes what it counted as JSON.
"""

import argparse
import asyncio
import json
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks import small_site
from benchmarks.replies import Broken, Reply, read_reply

#: Of a thousand requests; the others are fast.
_SHARES = {"slow": 5, "stream": 5, "echo": 20}
#: Seconds after which an answer counts as lost; the slowest is sent on purpose.
_PATIENCE = 10.0 + small_site.SLOW
_MS = 1000


@dataclass
class Counted:
    """Of one run; each request is in `right` or in `wrong`, by the kind of its failure."""

    sent: int = 0
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    #: The first failures in words.
    words: list[str] = field(default_factory=list)
    servers: Counter[str] = field(default_factory=Counter)
    #: Milliseconds of fast requests that were answered rightly.
    fast: list[float] = field(default_factory=list)
    #: New connections, the first of each client among them.
    connections: int = 0

    def failed(self, kind: str, what: str) -> None:
        self.wrong[kind] += 1
        if len(self.words) < 10:  # noqa: PLR2004
            self.words.append(f"{what}: {kind}")


class Traffic:
    def __init__(self, port: int, name: str, *, rate: float) -> None:
        self.counted = Counted()
        self._port, self._name = port, name
        self._between = 1 / rate
        self._next = time.monotonic()
        self._lot = random.Random(7)  # noqa: S311 - the same mixture each time
        self._ended = 0.0

    def stop(self) -> None:
        self._ended = time.monotonic()

    async def run(self, connections: int) -> float:
        """Until stopped; returns for how many seconds it was sending."""
        began = self._next = time.monotonic()
        await asyncio.gather(*(self._client() for _ in range(connections)))
        return self._ended - began

    async def _client(self) -> None:
        """One connection after the other; a new one only when the server has ended the last."""
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while await self._turn():
            if line is not None and (line[0].at_eof() or line[1].is_closing()):
                line[1].close()
                line = None
            kind, number = self._kind(), self.counted.sent
            self.counted.sent += 1
            try:
                async with asyncio.timeout(_PATIENCE):
                    line = line or await self._connect()
                    keep = await self._ask(*line, kind, number)
            except TimeoutError:
                keep = False
                self.counted.failed("timeout", f"{kind} {number}")
            except Broken as broken:
                keep = False
                self.counted.failed(broken.kind, f"{kind} {number}")
            if not keep and line is not None:
                line[1].close()
                line = None
        if line is not None:
            line[1].close()

    async def _turn(self) -> bool:
        """Wait for the next moment to send; false once no more is to be sent."""
        # Time that was lost is not made up: the load has a bound.
        self._next = max(self._next + self._between, time.monotonic() - 0.05)
        wait = self._next - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        return not self._ended

    def _kind(self) -> str:
        drawn = self._lot.randrange(1000)
        for kind, share in _SHARES.items():
            if drawn < share:
                return kind
            drawn -= share
        return "fast"

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.counted.connections += 1
        try:
            return await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as error:
            raise Broken("refused") from error

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str, number: int
    ) -> bool:
        """Whether the connection can be kept. Raises Broken."""
        began = time.perf_counter()
        writer.write(self._request(kind, number))
        reply = await read_reply(reader)
        self._judge(reply, kind, number)
        self.counted.right[kind] += 1
        if kind == "fast":
            self.counted.fast.append((time.perf_counter() - began) * _MS)
        return reply.keep

    def _request(self, kind: str, number: int) -> bytes:
        if kind == "echo":
            body = str(number).encode()
            head = f"POST /echo HTTP/1.1\r\nHost: {self._name}\r\nContent-Length: {len(body)}\r\n"
            return head.encode() + b"\r\n" + body
        return f"GET /{kind}/{number} HTTP/1.1\r\nHost: {self._name}\r\n\r\n".encode()

    def _judge(self, reply: Reply, kind: str, number: int) -> None:
        if reply.status != 200:  # noqa: PLR2004
            raise Broken(f"status {reply.status}")
        lines = reply.body.decode(errors="replace").splitlines()
        server = lines[0].rpartition(" ")[2] if lines else ""
        streamed = [f"stream {number}.{line} from {server}" for line in range(small_site.LINES)]
        if lines != (streamed if kind == "stream" else [f"{kind} {number} from {server}"]):
            raise Broken("wrong content")
        self.counted.servers[server] += 1


async def _main(options: argparse.Namespace) -> None:
    traffic = Traffic(options.port, options.name, rate=options.rate)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, traffic.stop)
    seconds = await traffic.run(options.connections)
    options.file.write_text(json.dumps({"seconds": seconds, **vars(traffic.counted)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traffic")
    parser.add_argument("port", type=int)
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rate", type=float, default=700.0)
    parser.add_argument("--connections", type=int, default=36)
    uvloop.run(_main(parser.parse_args()))
