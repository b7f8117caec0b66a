"""One step on one host: started once, followed across lost connections, ended in time."""

import asyncio
import contextlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

import asyncssh

from worker.remote import calls, runner
from worker.remote.conversation import (
    Conversation,
    Interrupted,
    NoSession,
    NotUploaded,
    failed,
    no_session,
)
from worker.remote.errors import ConnectionLost, HostUnreachable, RemoteError, StepTimeout
from worker.remote.host import Output
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
    """The step has run for as long as it may."""


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
        patience: Patience,
    ) -> None:
        self._link = link
        self._command = command
        self._name = runner.step_name(name)
        self._values = values
        self._output = output
        self._patience = patience
        self._decoder = runner.Decoder()
        self._offset = 0  # bytes of the log that have been passed on
        self._started = False
        self._heard = _now()
        self._deadline: float | None = None  # known since the step's first answer
        self._report: bytearray | None = None
        self._exit: int | None = None

    async def exit_code(self) -> int:
        """Raises StepTimeout when it had to be killed, ConnectionLost when nobody knows."""
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
                await self._converse(await self._link.connection())
            except (Interrupted, NotUploaded, HostUnreachable) as error:
                losses += 1
                missing = missing or isinstance(error, NotUploaded)
                if losses == 1 and isinstance(error, HostUnreachable):
                    raise  # nothing was sent yet
                self._give_up(losses, error)
                await asyncio.sleep(min(0.1 * (losses - 1), 1.0))

    async def _converse(self, connection: asyncssh.SSHClientConnection) -> None:
        """One channel: until the step's end, or until the channel breaks."""
        mark = runner.new_mark()
        if self._started:
            words = ["attach", self._name, str(self._offset)]
            stdin = f"{mark}\n".encode()
        else:
            words = ["run", self._name]
            stdin = runner.encode(mark, self._command, self._values)
        line = runner.command_line(self._link.address, *words)
        async with Conversation(connection, line, stdin, mark=mark, stay=True) as conversation:
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
        until = self._deadline if answered else _now() + self._patience.answer
        try:
            async with asyncio.timeout_at(until):
                return await conversation.read()
        except TimeoutError:
            if answered:
                raise _TimeIsUp from None
            raise Interrupted("the runner does not answer") from None

    async def _kill(self) -> StepTimeout:
        """End the step and show its last words; the error says whether anything is left of it."""
        try:
            survivors = await calls.kill(self._link, self._name)
        except RemoteError as error:
            survivors = f"unknown ({error.detail})"
        self._deadline = _now() + self._patience.last_words
        with contextlib.suppress(_TimeIsUp, RemoteError):
            await self._follow()
        await self._show(b"", final=True)
        return self._timed_out(survivors)

    async def _take(self, piece: Answer | bytes) -> None:
        self._heard = _now()
        if isinstance(piece, Answer):
            self._obey(piece)
        elif self._report is not None:
            self._report += piece
        else:
            self._offset += len(piece)
            await self._show(piece)

    def _obey(self, answer: Answer) -> None:
        match answer.word:
            case "STARTED" | "RUNNING" | "DONE":
                self._started = True
                if self._deadline is None:
                    age = max(0.0, float(answer.rest or 0))
                    self._deadline = _now() + max(0.0, self._command.timeout - age)
            case "EXIT":
                self._exit = int(answer.rest)
            case "FAILED":
                self._report = bytearray()
            case "LOST" | "MISSING":
                raise self._vanished(answer)

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
        raise ConnectionLost(
            f"The connection to host {self._link.address} was lost while step {self._name} ran, "
            f"{losses} times, the last answer came {away:.0f} s ago: {error}. How the step ended "
            "is unknown.",
            hint=self._look("when the host is back, look at the step's log and exit code"),
        ) from error

    def _vanished(self, answer: Answer) -> ConnectionLost:
        what = "its folder is gone" if answer.word == "MISSING" else "its process is gone"
        return ConnectionLost(
            f"Step {self._name} on host {self._link.address} ended without an exit code: {what}. "
            f"The host was restarted, or somebody killed it. {answer.rest}".strip(),
            hint=self._look("look at what it left"),
        )

    def _timed_out(self, survivors: str) -> StepTimeout:
        limit = f"{self._command.timeout:g}"
        detail = f"Step {self._name} on host {self._link.address} ran longer than {limit} s. "
        if not survivors:
            return StepTimeout(
                detail + "It was killed, with everything it had started.",
                hint="Read its output to see where it stood; give it a longer `timeout` in the "
                "recipe if it only needs more time.",
            )
        return StepTimeout(
            detail + f"It could not be killed; left are the processes {survivors}.",
            hint=f"End them on the host: sudo kill -9 {survivors}",
        )

    def _look(self, why: str) -> str:
        address = self._link.address
        folder = posixpath.join(address.base_dir, "steps", self._name)
        ssh = f"ssh -p {address.port} {address.user}@{address.host}"
        return f"To see more ({why}): {ssh} 'tail -n 20 {folder}/log; cat {folder}/rc'"


def _now() -> float:
    return asyncio.get_running_loop().time()
