"""Answers that are written while a job goes on, and end when their reader leaves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.errors import ServiceError
from app.services.streams import Stream

Pieces = Callable[[Stream], AsyncGenerator[bytes, None]]

log = structlog.get_logger()


class Live(Response):
    """A body in pieces. Each is handed to the server once it has sent the one before."""

    def __init__(
        self,
        opening: AbstractContextManager[Stream],
        pieces: Pieces,
        *,
        media_type: str,
        may_stop: bool,
    ) -> None:
        """`may_stop`: whoever reads it knows an end from a stop. Others see a broken transfer."""
        super().__init__(media_type=media_type, headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._opening, self._pieces, self._may_stop = opening, pieces, may_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        whole = scope["state"]["is_head"] or await self._write(receive, send)
        if whole or self._may_stop:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, receive: Receive, send: Send) -> bool:
        """Whether it was written to its end."""
        with self._opening as stream:
            leaving = asyncio.create_task(_until_left(receive, stream))
            try:
                async with aclosing(self._pieces(stream)) as pieces:
                    async for piece in pieces:
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            except ServiceError as error:
                log.warning("stream.broken", reason=error.detail)
                stream.end()
            finally:
                leaving.cancel()
            return not stream.is_over


async def _until_left(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()
