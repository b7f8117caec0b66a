"""TLS over a channel that is already open; no certificate is checked, for SSH vouches for the host.

It is for a look at a site from inside its host, where a certificate of the site's own name, or none
that anybody knows, is to be expected.
"""

import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from worker.remote.http import Reader, Writer

T = TypeVar("T")

_CHUNK = 65536


class Tls:
    """Reads and writes as the channel does; `handshake` comes first. Raises ssl.SSLError."""

    def __init__(self, reader: Reader, writer: Writer, *, name: str) -> None:
        """`name` goes as SNI; an empty one does not."""
        self._reader, self._writer = reader, writer
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = _context().wrap_bio(
            self._received, self._to_send, server_hostname=name or None
        )

    async def handshake(self) -> None:
        await self._with_more(self._session.do_handshake)

    def write(self, data: bytes) -> None:
        if data:
            self._session.write(data)
            self._send()

    async def read(self, n: int = -1) -> bytes:
        """What came next; empty at the end, also when the server just hung up."""
        try:
            return await self._with_more(lambda: self._session.read(n if n > 0 else _CHUNK))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    async def _with_more(self, act: Callable[[], T]) -> T:
        """The result, as soon as enough has been received for it."""
        while True:
            try:
                result = act()
            except ssl.SSLWantReadError:
                self._send()
                if data := await self._reader.read(_CHUNK):
                    self._received.write(data)
                else:
                    self._received.write_eof()
            else:
                self._send()
                return result

    def _send(self) -> None:
        if data := self._to_send.read():
            self._writer.write(data)


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
