"""Runs the operator's program: bounded in time and in what it says, its whole group ended."""

import asyncio
import codecs
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.redaction import RedactingStream, Redactor
from app.domain.spellings import without_controls
from worker.providers.provider import Show

#: Bytes of an answer, and of progress that is shown; the program may say more of the latter.
LONGEST_ANSWER = 1 << 20
LONGEST_PROGRESS = 1 << 20
_LONGEST_LINE = 2000
#: Characters of its last words that an error quotes.
_QUOTED = 1000
_CHUNK = 65_536
#: Seconds for its processes to be gone after KILL.
_END = 10.0


@dataclass(frozen=True)
class Ended:
    #: None: it could not start, was ended by a signal, or was ended for taking too long or saying
    #: too much; nobody knows what it has done.
    exit_code: int | None
    #: In words, to stand behind the program's name.
    how: str
    answer: bytes = b""
    #: Its last words on standard error.
    said: str = ""


class _TooLong(Exception):
    """The answer is longer than an answer may be."""


@dataclass(frozen=True)
class Program:
    """`words` are handed over as they are, without a shell; `env` is all that it sees."""

    words: Sequence[str]
    env: Mapping[str, str]
    redactor: Redactor
    #: Seconds between TERM and KILL.
    grace: float = 10.0

    async def run(self, request: bytes, *, longest: float, show: Show) -> Ended:
        """Give it the request on standard input, show its standard error line by line.

        Its processes end with this call, also when that is cancelled.
        """
        try:
            process = await self._started()
        except (OSError, ValueError) as error:
            return Ended(None, f"could not be started: {error}")
        progress = _Progress(RedactingStream(self.redactor), show)
        try:
            async with asyncio.timeout(longest) as bound:
                answer = await _talk(process, request, progress)
                code = await process.wait()
        except TimeoutError:
            if not bound.expired():
                # It is of whoever is shown the progress.
                raise
            how = f"took longer than {longest:g} s and was ended"
            return Ended(None, how, said=progress.said)
        except _TooLong:
            how = f"answered more than {LONGEST_ANSWER} bytes and was ended"
            return Ended(None, how, said=progress.said)
        finally:
            await self._end(process)
        if code < 0:
            return Ended(None, f"was ended by signal {-code}", said=progress.said)
        return Ended(code, f"ended with exit code {code}", answer, progress.said)

    async def _started(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.words,
            cwd="/",
            env=dict(self.env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """TERM, and after a while KILL, for the whole group."""
        try:
            if process.returncode is None:
                _signal(process, signal.SIGTERM)
                await _wait_for_end(process, self.grace)
        finally:
            _signal(process, signal.SIGKILL)
        await _wait_for_end(process, _END)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    # The group outlives its leader as long as a child is left; macOS has another error for none.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def _wait_for_end(process: asyncio.subprocess.Process, longest: float) -> None:
    """What it still says is dropped."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(_CHUNK):
                    pass
            await process.wait()


async def _talk(
    process: asyncio.subprocess.Process, request: bytes, progress: "_Progress"
) -> bytes:
    assert process.stdin is not None  # noqa: S101 - piped
    assert process.stdout is not None  # noqa: S101 - piped
    assert process.stderr is not None  # noqa: S101 - piped
    try:
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(_bounded(process.stdout))
            group.create_task(progress.follow(process.stderr))
            group.create_task(_given(process.stdin, request))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return answer.result()


async def _given(stream: asyncio.StreamWriter, request: bytes) -> None:
    # A program may not read what it does not need.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(request)
        await stream.drain()
        stream.close()
        await stream.wait_closed()


async def _bounded(stream: asyncio.StreamReader) -> bytes:
    read = bytearray()
    while data := await stream.read(_CHUNK):
        read += data
        if len(read) > LONGEST_ANSWER:
            raise _TooLong
    return bytes(read)


class _Progress:
    """Standard error, cleaned, in lines; what goes beyond the bound is read and dropped."""

    def __init__(self, cleaning: RedactingStream, show: Show) -> None:
        self._cleaning, self._show = cleaning, show
        self._held = ""
        self.said = ""

    async def follow(self, stream: asyncio.StreamReader) -> None:
        decoder, size = codecs.getincrementaldecoder("utf-8")("replace"), 0
        while data := await stream.read(_CHUNK):
            size += len(data)
            if size <= LONGEST_PROGRESS:
                await self._feed(self._cleaning.feed(decoder.decode(data)))
        # What is held back may be half a secret, whose rest was dropped.
        rest = self._cleaning.flush() if size <= LONGEST_PROGRESS else ""
        await self._feed(rest + "\n")

    async def _feed(self, text: str) -> None:
        *lines, self._held = (self._held + text).split("\n")
        if len(self._held) > _LONGEST_LINE:
            lines, self._held = [*lines, self._held], ""
        for line in lines:
            await self._tell(without_controls(line)[:_LONGEST_LINE].rstrip())

    async def _tell(self, line: str) -> None:
        if line:
            self.said = f"{self.said}\n{line}"[-_QUOTED:].lstrip()
            await self._show(line)
