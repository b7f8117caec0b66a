"""One step on one host: started once, followed across lost connections, ended in time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from worker.remote import calls, endings, runner
from worker.remote.conversation import (
    Conversation,
    Interrupted,
    NoSession,
    NotUploaded,
    failed,
    no_session,
    refuse,
)
from worker.remote.errors import (
    HostUnreachable,
    RemoteError,
    StaleToken,
    StepSilent,
    StepTimeout,
)
from worker.remote.host import Fence, Output
from worker.remote.link import Link
from worker.remote.runner import Answer
from worker.steps.step import Command


@dataclass(frozen=True)
class Patience:
    """How long a step's connection may be away before its outcome counts as unknown."""

    losses: int = 10
    away: float = 60.0  # seconds without any answer
    answer: float = 60.0  # seconds for the first word of the runner
    last_words: float = 5.0  # seconds for the output of a step that was killed


class _TimeIsUp(Exception):
    """The step has run for as long as it may, or kept silent for as long."""


class Following:
    """Made for one run of one step; `exit_code` is awaited once."""

    def __init__(
        self,
        link: Link,
        command: Command,
        *,
        name: str,
        values: Mapping[str, str],
        output: Output,
        fence: Fence | None,
        patience: Patience,
    ) -> None:
        self._link, self._command = link, command
        self._name = runner.step_name(name)
        self._values, self._fence = values, fence
        self._output = output
        self._patience = patience
        self._decoder = runner.Decoder()
        self._offset = 0  # bytes of the log that have been passed on
        self._started = False
        self._heard = _now()
        self._deadline: float | None = None  # known since the step's first answer
        self._spoke = 0.0  # when the step last said something
        self._report: bytearray | None = None
        self._exit: int | None = None

    async def exit_code(self) -> int:
        """Raises StepTimeout or StepSilent when it had to be killed, StepVanished when it was
        killed by others, ConnectionLost when the host stays away.
        """
        try:
            await self._follow()
        except _TimeIsUp:
            raise await self._kill() from None
        if self._exit is None:
            raise AssertionError
        await self._show(b"", final=True)
        return self._exit

    async def _follow(self) -> None:
        """Until the step's end is known, over as many connections as it takes."""
        losses, missing = 0, False
        while self._exit is None:
            try:
                if missing:
                    await calls.upload(self._link)
                    missing = False
                await self._converse()
            except (Interrupted, NotUploaded, HostUnreachable) as error:
                losses += 1
                missing = missing or isinstance(error, NotUploaded)
                if losses == 1 and isinstance(error, HostUnreachable):
                    raise  # nothing was sent yet
                self._give_up(losses, error)
                await asyncio.sleep(min(0.1 * (losses - 1), 1.0))

    async def _converse(self) -> None:
        """One channel: until the step's end, or until the channel breaks."""
        mark = runner.new_mark()
        if self._started:
            words = f"attach {self._name} {self._offset}"
            stdin = f"{runner.head(mark, self._fence)}.\n".encode()
        else:
            words = f"run {self._name}"
            stdin = runner.encode(mark, self._command, self._values, self._fence)
        async with Conversation(self._link, words, stdin, mark=mark) as conversation:
            answered = False
            while pieces := await self._read(conversation, answered=answered):
                answered = True
                for piece in pieces:
                    await self._take(piece)
            if self._report is not None:
                raise failed(self._link.address, bytes(self._report))
            if not answered:
                raise await conversation.explain_silence(self._link.address)
            if self._exit is None:
                raise Interrupted("the channel closed before the step's end")

    async def _read(self, conversation: Conversation, *, answered: bool) -> list[Answer | bytes]:
        until = self._until() if answered else _now() + self._patience.answer
        try:
            async with asyncio.timeout_at(until):
                return await conversation.read()
        except TimeoutError:
            if answered:
                raise _TimeIsUp from None
            raise Interrupted("the runner does not answer") from None

    def _until(self) -> float | None:
        if self._deadline is None or self._command.silence is None:
            return self._deadline
        return min(self._deadline, self._spoke + self._command.silence)

    async def _kill(self) -> StepTimeout | StepSilent:
        """End the step and show its last words; the error says whether anything is left of it.
        Raises StaleToken when it is another attempt's to end.
        """
        silent = self._deadline is None or _now() < self._deadline
        survivors = ""
        try:
            await calls.kill(self._link, self._name, self._fence)
        except StaleToken:
            raise
        except RemoteError as error:
            survivors = error.detail
        self._deadline = self._spoke = _now() + self._patience.last_words
        try:
            await self._follow()
        except StaleToken:
            raise
        except (_TimeIsUp, RemoteError):
            pass  # its last words are all that is missing
        await self._show(b"", final=True)
        return endings.overdue(
            self._link.address, self._name, self._command, silent=silent, survivors=survivors
        )

    async def _take(self, piece: Answer | bytes) -> None:
        self._heard = _now()
        if isinstance(piece, Answer):
            self._obey(piece)
        elif self._report is not None:
            self._report += piece
        else:
            self._offset += len(piece)
            await self._show(piece)
            self._spoke = _now()

    def _obey(self, answer: Answer) -> None:
        match answer.word:
            case "STARTED" | "RUNNING" | "DONE":
                self._begin(answer.rest)
            case "EXIT":
                self._exit = int(answer.rest)
            case "FAILED":
                self._report = bytearray()
            case "LOST" | "MISSING":
                raise endings.vanished(
                    self._link.address,
                    self._name,
                    missing=answer.word == "MISSING",
                    why=answer.rest,
                )
            case _:
                refuse(self._link.address, answer)

    def _begin(self, rest: str) -> None:
        """Takes the step's age, and for how long it has been silent, both in seconds."""
        age, silent = [max(0.0, float(number)) for number in [*rest.split(), "0", "0"][:2]]
        self._started = True
        self._spoke = _now() - min(age, silent)
        if self._deadline is None:
            self._deadline = _now() + max(0.0, self._command.timeout - age)

    async def _show(self, data: bytes, *, final: bool = False) -> None:
        text = self._decoder.feed(data, final=final)
        if text:
            await self._output(text)

    def _give_up(self, losses: int, error: Exception) -> None:
        away = _now() - self._heard
        full = isinstance(error, NoSession)
        if away <= self._patience.away and (full or losses <= self._patience.losses):
            return
        if full and not self._started:
            raise no_session(self._link.address) from error
        raise endings.lost(
            self._link.address, self._name, losses=losses, away=away, why=str(error)
        ) from error


def _now() -> float:
    return asyncio.get_running_loop().time()
