"""Output of one step on its way into events: redacted, gathered, limited."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.domain.event import EventType
from app.domain.redaction import RedactingStream, Redactor

#: Output is written when this much has gathered, or so many seconds after the last time.
FLUSH_CHARS = 16 * 1024
FLUSH_LINES = 100
FLUSH_AFTER = 0.1
#: More than this is not gathered: the host has to wait until some of it is written.
BACKLOG = 128 * 1024
#: Characters of output kept for one step and for one job; the host's own log has more.
STEP_LIMIT = 1024 * 1024
JOB_LIMIT = 8 * 1024 * 1024


@dataclass
class Allowance:
    """Characters of output that the job may still keep."""

    left: int = JOB_LIMIT


class StepOutput:
    """One run of one command. Its output may come again from the beginning, on another attempt."""

    def __init__(
        self,
        about: Mapping[str, Any],
        redactor: Redactor,
        write: Callable[..., Awaitable[None]],
        *,
        allowance: Allowance,
        heard: int = 0,
    ) -> None:
        """`about` goes into every event; of the output, so many characters were `heard` before."""
        self._about, self._write, self._allowance = dict(about), write, allowance
        self._stream = RedactingStream(redactor)
        #: Characters as the host sent them: passed over, and taken so far.
        self._heard, self._taken = heard, 0
        self._kept = heard
        self._pieces: list[str] = []
        self._size = self._lines = 0
        self._some, self._full, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._last = 0.0
        self._ended = self._cut = False
        self._writer: asyncio.Task[None] | None = None

    @property
    def end(self) -> int:
        """How many characters of what the host sent are done with."""
        return max(self._heard, self._taken - self._stream.held)

    async def feed(self, text: str) -> None:
        """Take a piece; waits while too much is unwritten. Raises what the writing met."""
        known = min(len(text), max(0, self._heard - self._taken))
        self._taken += len(text)
        self._gather(self._stream.feed(text[known:]))
        self._raise_what_the_writer_met()
        while self._size > BACKLOG:
            self._room.clear()
            await self._room.wait()
            self._raise_what_the_writer_met()

    async def finish(self, *, again: bool = False) -> None:
        """Write the rest; `again`: but for what the host will say once more, from `end` on."""
        if not again:
            self._gather(self._stream.flush())
        self._ended = True
        self._some.set()
        self._full.set()
        if self._writer is not None:
            await self._writer

    async def drop(self) -> None:
        """Forget what is not written: it will come again."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})

    def _gather(self, text: str) -> None:
        text = self._limited(text)
        if not text:
            return
        self._pieces.append(text)
        self._size += len(text)
        self._lines += text.count("\n")
        self._some.set()
        if self._size >= FLUSH_CHARS or self._lines >= FLUSH_LINES:
            self._full.set()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_out())

    def _limited(self, text: str) -> str:
        room = min(STEP_LIMIT - self._kept, self._allowance.left)
        if self._cut or not text:
            return ""
        self._kept += len(text)
        self._allowance.left -= min(len(text), room)
        if len(text) <= room:
            return text
        self._cut = True
        which = "step" if self._allowance.left > 0 else "job"
        return f"{text[:room]}\n[truncated: no more of this {which}'s output is kept]\n"

    async def _write_out(self) -> None:
        try:
            while not (self._ended and not self._pieces):
                await self._some.wait()
                # The first line is shown at once, and others so often that nobody waits.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._last + FLUSH_AFTER - time.monotonic()):
                        await self._full.wait()
                await self._flush()
        finally:
            self._room.set()

    async def _flush(self) -> None:
        text, self._pieces, self._size, self._lines = "".join(self._pieces), [], 0, 0
        if not self._ended:
            self._some.clear()
            self._full.clear()
        self._room.set()
        if not text:
            return
        about = {**self._about, "end": self.end}
        datas = [
            {**about, "text": text[at : at + FLUSH_CHARS]}
            for at in range(0, len(text), FLUSH_CHARS)
        ]
        if self._cut:
            datas[-1]["truncated"] = True
        self._last = time.monotonic()
        await self._write(*((EventType.STEP_OUTPUT, data) for data in datas))

    def _raise_what_the_writer_met(self) -> None:
        if self._writer is not None and self._writer.done():
            self._writer.result()
