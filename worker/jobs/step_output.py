"""Output of one step on its way into events: redacted, gathered, limited."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.domain.event import EventType
from app.domain.redaction import RedactingStream, Redactor

#: Output is written when this much has gathered, or after this many seconds.
FLUSH_BYTES = 16 * 1024
FLUSH_AFTER = 0.1
#: Characters of output kept for one step; the host's own log has more.
STEP_LIMIT = 1024 * 1024


class StepOutput:
    """Output of one step on its way into events: redacted, gathered, limited."""

    def __init__(
        self,
        number: int,
        step: str,
        redactor: Redactor,
        write: Callable[[EventType, Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.number, self._step, self._write = number, step, write
        self._stream = RedactingStream(redactor)
        self._gathered: list[str] = []
        self._size = self._kept = 0
        self._timer: asyncio.Task[None] | None = None

    async def feed(self, text: str) -> None:
        self._gather(self._stream.feed(text))
        if self._size >= FLUSH_BYTES:
            await self._flush()
        elif self._timer is None or self._timer.done():
            self._raise_what_the_timer_met()
            self._timer = asyncio.create_task(self._flush_soon())

    async def end(self) -> None:
        """Write the rest."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait({self._timer})
            self._raise_what_the_timer_met()
        self._gather(self._stream.flush())
        await self._flush()

    def _gather(self, text: str) -> None:
        room = STEP_LIMIT - self._kept
        if room < 0 or not text:
            return
        kept = text if len(text) <= room else text[:room] + "\n[truncated: too much output]\n"
        self._kept += len(text)
        self._size += len(kept)
        self._gathered.append(kept)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(FLUSH_AFTER)
        await self._flush()

    async def _flush(self) -> None:
        text, self._gathered, self._size = "".join(self._gathered), [], 0
        if text:
            data = {"number": self.number, "step": self._step, "text": text}
            await asyncio.shield(self._write(EventType.STEP_OUTPUT, data))

    def _raise_what_the_timer_met(self) -> None:
        if self._timer is not None and self._timer.done() and not self._timer.cancelled():
            self._timer.result()
