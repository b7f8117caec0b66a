"""One HTTP GET over a connection that is already open."""

from typing import Any, Protocol

import h11

from worker.remote.host import HttpAnswer

_BODY_LIMIT = 65536


class Reader(Protocol):
    async def read(self, n: int = -1) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes) -> Any: ...


async def get(reader: Reader, writer: Writer, *, host: str, path: str) -> HttpAnswer:
    """The answer, its body cut at 64 KiB; whatever is no HTTP comes as a problem."""
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(
        method="GET",
        target=path,
        headers=[
            ("Host", host),
            ("User-Agent", "liftlock"),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ],
    )
    try:
        writer.write(connection.send(request) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        return await _answer(connection, reader)
    except h11.ProtocolError as error:
        return HttpAnswer(0, "", problem=f"it does not speak HTTP: {error}")


async def _answer(connection: h11.Connection, reader: Reader) -> HttpAnswer:
    status, body = 0, bytearray()
    while len(body) < _BODY_LIMIT:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_BODY_LIMIT))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        elif not isinstance(event, h11.InformationalResponse):
            break
    if not status:
        return HttpAnswer(0, "", problem="it closed the connection without an answer")
    return HttpAnswer(status, bytes(body[:_BODY_LIMIT]).decode(errors="replace"))
