"""App servers behind a router, and clients that never try again."""

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Site:
    """An app server: it answers with its name, slowly, in pieces, or with another status."""

    name: str
    served: Counter = field(default_factory=Counter)
    port: int = 0
    server: asyncio.Server | None = None
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error):
        self.server.close()
        await _closed(self.writers)

    async def _serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode("latin-1"), reader, writer)
                await writer.drain()
                if "\r\nconnection: close" in head.lower().decode("latin-1", "replace"):
                    break
        writer.close()

    async def _answer(self, head, reader, writer):
        path = head.split(" ")[1]
        self.served[path] += 1
        if path == "/socket":
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            )
            while piece := await reader.read(100):
                writer.write(self.name.encode() + b" " + piece)
            return
        if path == "/stream":
            await self._stream(writer)
            return
        if path == "/half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            writer.transport.abort()
            return
        if path == "/slow":
            await asyncio.sleep(1)
        body = head if path == "/head" else self.name
        status = "503 Busy" if path == "/busy" else "200 OK"
        if path == "/wide":
            status += "".join(f"\r\nSet-Cookie: c{n}={'v' * 1000}" for n in range(14))
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode("latin-1")
        )

    async def _stream(self, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            piece = self.name.encode()
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")


async def _closed(writers):
    for writer in writers:
        writer.close()
    for writer in writers:
        with contextlib.suppress(OSError):
            await writer.wait_closed()


#: Connections of clients that a test left open.
OPENED: list[asyncio.StreamWriter] = []


async def close_clients():
    await _closed(OPENED)
    OPENED.clear()


#: What asks for a WebSocket; the answer of `Site` belongs to this key, and HAProxy compares.
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Lost(Exception):
    """No whole answer came."""


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: str


@dataclass
class KeepAlive:
    """One connection that is opened again only when the server said that it would close it."""

    port: int
    host: str = "site.example"
    address: str = "127.0.0.1"
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def get(self, path="/", **headers):
        return await self.ask("GET", path, **headers)

    async def ask(self, method, path="/", **headers):
        """One request; raises Lost."""
        try:
            async with asyncio.timeout(15):
                return await self._ask(method, path, headers)
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise Lost(f"{method} {path}: {error!r}") from error

    async def _ask(self, method, path, headers):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.address, self.port)
            OPENED.append(self.writer)
        lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        request = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{length}{lines}\r\n"
        self.writer.write(request.encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.strip().split("\r\n")
        got = {
            name.lower(): text.strip() for name, _, text in (line.partition(":") for line in rest)
        }
        status = int(first.split(" ")[1])
        body = b"" if status == 101 else await self._body(got)
        if got.get("connection", "").lower() == "close":
            self.close()
        return Got(status, got, body.decode())

    async def _body(self, headers):
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return body

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


@dataclass
class Load:
    """So many connections ask until told to stop; every answer is counted, each failure kept."""

    port: int
    connections: int = 30
    paths: tuple[str, ...] = ("/", "/", "/", "/slow", "/stream")
    pause: float = 0.005  # seconds between two requests of a connection
    host: str = "site.example"
    address: str = "127.0.0.1"
    answers: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stopping: bool = False

    async def __aenter__(self):
        self.tasks = [asyncio.create_task(self._ask(n)) for n in range(self.connections)]
        return self

    async def __aexit__(self, *_error):
        self.stopping = True
        await asyncio.gather(*self.tasks)

    async def answered(self, count):
        """Until so many more answers came."""
        wanted = self.answers.total() + count
        async with asyncio.timeout(30):
            while self.answers.total() < wanted:
                await asyncio.sleep(0.01)

    async def _ask(self, number):
        link = KeepAlive(self.port, self.host, self.address)
        while not self.stopping:
            path = self.paths[(number + self.answers.total()) % len(self.paths)]
            try:
                got = await link.get(path)
            except Lost as lost:
                self.failures.append(str(lost))
                continue
            if got.status == 200:
                self.answers[got.body.split(" ")[0][:1]] += 1
            else:
                self.failures.append(f"{path}: {got.status}")
            await asyncio.sleep(self.pause)
        link.close()
