"""A reverse proxy that fails as a test asks, and remembers every request."""

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

_ETAG = re.compile(rb'etag: "[0-9a-f]{32}"', re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class Fault(Enum):
    """What is done with a request instead of handing it on."""

    #: 503 with S3's word for it.
    UNAVAILABLE = "unavailable"
    #: 501: a server that knows no conditional writes.
    UNKNOWN = "unknown"
    #: The last byte of the body is another one.
    ALTER = "alter"
    #: The connection ends without an answer.
    CUT = "cut"
    #: The server does it, the answer is lost.
    LOSE_ANSWER = "lose-answer"
    #: The ETag of the answer looks like an MD5 and is none, as that of a server that encrypts.
    ENCRYPTED = "encrypted"


_ANSWERS = {
    Fault.UNAVAILABLE: (503, "Service Unavailable", "SlowDown"),
    Fault.UNKNOWN: (501, "Not Implemented", "NotImplemented"),
}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    #: As it came, with the names of headers in any case.
    head: bytes


@dataclass
class FaultyProxy:
    """`rule` decides on each request; it runs in the proxy's thread, one request at a time."""

    target: str
    rule: Callable[[Request], Fault | None] = lambda _: None
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""

    def count(self, method: str) -> int:
        return len(self.of(method))

    def of(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]

    @contextlib.contextmanager
    def running(self) -> Iterator["FaultyProxy"]:
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = urlsplit(self.target)
        upstream, onward = await asyncio.open_connection(place.hostname, place.port)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer, upstream, onward):
                pass
        for each in (writer, onward):
            each.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
            await onward.wait_closed()

    async def _one(self, reader, writer, upstream, onward) -> bool:
        head = await reader.readuntil(_HEAD_END)
        body = await _body(reader, head)
        method, path, _ = head.decode("latin-1").split(" ", 2)
        request = Request(method, path, head)
        self.requests.append(request)
        fault = self.rule(request)
        if fault is Fault.CUT:
            return False
        if fault in _ANSWERS:
            await _answer(writer, *_ANSWERS[fault])
            return True
        if fault is Fault.ALTER and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        onward.write(head + body)
        await onward.drain()
        answer = await upstream.readuntil(_HEAD_END)
        content = b"" if method == "HEAD" else await _body(upstream, answer)
        if fault is Fault.LOSE_ANSWER:
            return False
        if fault is Fault.ENCRYPTED:
            answer = _ETAG.sub(b'Etag: "' + b"0" * 32 + b'"', answer)
        writer.write(answer + content)
        await writer.drain()
        return True


async def _answer(writer: asyncio.StreamWriter, status: int, reason: str, code: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>{reason}.</Message></Error>".encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
        if line.startswith(b"transfer-encoding:") and b"chunked" in line:
            return await _chunks(reader)
    return b""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """As they stand on the wire."""
    whole = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(line, 16) + 2)
        whole += line + chunk
        if chunk == b"\r\n":
            return whole


async def _end(server: asyncio.Server) -> None:
    server.close()
    mine = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not mine]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
