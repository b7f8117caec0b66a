"""An HTTP client that costs little: connections kept open, each with one request at a time."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvloop

_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Address:
    """Where an API listens, and the token it wants."""

    port: int
    token: str = ""

    def request(self, method: str, path: str, body: Any = None, *, headers: str = "") -> bytes:
        """A whole HTTP/1.1 request."""
        content = json.dumps(body).encode() if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
            f"{headers}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True)
class Load:
    """What a closed loop of requests reached."""

    rate: float
    failed: int
    bodies: list[bytes]


class Connection:
    """One connection, with one request on its way at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, address: Address) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", address.port))

    async def ask(self, request: bytes) -> Answer:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, length = int(head[9:12]), 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(_LENGTH):
                length = int(line[len(_LENGTH) :])
        return Answer(status, await self._reader.readexactly(length))

    async def lines(self, request: bytes) -> "asyncio.StreamReader":
        """Send, read the head of the answer, and hand out the stream of its body."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(f"no stream: {head.decode(errors='replace')}")
        return self._reader

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def press(
    address: Address,
    make: Callable[[int], bytes],
    *,
    connections: int = 32,
    seconds: float | None = None,
    count: int | None = None,
) -> Load:
    """Send `make(0)`, `make(1)` … from all connections, for some seconds or a number of requests.

    Runs in a thread with a loop of its own: uvloop, so that the client takes little of the
    processor that the server needs as well.
    """
    numbers = itertools.count() if count is None else iter(range(count))
    return await asyncio.to_thread(
        lambda: uvloop.run(_press(address, make, numbers, connections, seconds))
    )


async def _press(
    address: Address,
    make: Callable[[int], bytes],
    numbers: Iterator[int],
    connections: int,
    seconds: float | None,
) -> Load:
    end = time.monotonic() + seconds if seconds is not None else float("inf")
    answers: list[Answer] = []

    async def client() -> None:
        connection = await Connection.open(address)
        while time.monotonic() < end and (number := next(numbers, None)) is not None:
            answers.append(await connection.ask(make(number)))
        await connection.close()

    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(connections)))
    took = time.monotonic() - began
    good = [answer.body for answer in answers if answer.status < 300]  # noqa: PLR2004
    return Load(len(good) / took, len(answers) - len(good), good)
