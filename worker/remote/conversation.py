"""One call of the runner over one channel: its answers, and what its silence means."""

import asyncio
import posixpath
from collections.abc import Iterable
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import asyncssh

from worker.remote import runner
from worker.remote.errors import HostBusy, HostUnreachable, RunnerFailed, StaleToken
from worker.remote.host import Address
from worker.remote.lines import Lines, Process
from worker.remote.link import Link
from worker.remote.runner import NOT_UPLOADED, Answer, Answers

_CHUNK = 65536
_SHOWN = 600
_FULL_BELOW_KB = 64


class Interrupted(Exception):
    """The channel ended before the runner had said everything: the outcome is unknown."""


class NoSession(Interrupted):
    """The server opens no further session on this connection just now."""


class NotUploaded(Exception):
    """The host does not have this version of the runner yet."""


class Conversation:
    """Use as a context manager; `read` until it answers with an empty list."""

    def __init__(self, link: Link, words: str, stdin: bytes, *, mark: str) -> None:
        """`words` are a verb of the runner and its arguments, none with a space in it."""
        self._link = link
        self._words = words
        self._stdin = stdin
        self._mark = mark
        self._answers = Answers(mark)
        self._lines: Lines | None = None
        self._process: Process | None = None
        self._status: int | None = None
        self._ended = False  # and nothing came behind it

    async def __aenter__(self) -> Self:
        try:
            self._lines = await self._link.lines()
            self._process = await self._open(self._lines)
        except asyncssh.ChannelOpenError as error:
            raise NoSession(error.reason) from error
        except (OSError, asyncssh.Error) as error:
            raise Interrupted(str(error)) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None or self._lines is None:
            return
        if self._ended:
            self._lines.give_back(self._process)
        else:
            self._process.close()

    async def read(self) -> list[Answer | bytes]:
        """What came next; never empty before the end. Raises Interrupted when the line breaks."""
        assert self._process is not None  # noqa: S101 - entered
        pieces: list[Answer | bytes] = []
        while not pieces and self._status is None:
            try:
                data = await self._process.stdout.read(_CHUNK)
            except (OSError, asyncssh.Error) as error:
                raise Interrupted(str(error)) from error
            if not data:
                return []
            self._link.heard()
            pieces = self._without_end(self._answers.feed(data))
        return pieces

    async def outcome(self, *, seconds: float) -> tuple[Answer, bytes]:
        """The first answer of a call and everything behind it, when it has to come soon."""
        answer: Answer | None = None
        rest = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while pieces := await self.read():
                    for piece in pieces:
                        if isinstance(piece, bytes):
                            rest += piece
                        elif answer is None:
                            answer = piece
        except TimeoutError as error:
            raise Interrupted(f"no answer within {seconds:g} seconds") from error
        if answer is None:
            raise await self.explain_silence(self._link.address)
        if answer.word == "FAILED":
            raise failed(self._link.address, bytes(rest))
        return answer, bytes(rest)

    async def explain_silence(self, address: Address) -> RunnerFailed:
        """Why the runner left without an answer; raises Interrupted when that is not known."""
        assert self._process is not None  # noqa: S101 - entered
        status = self._status
        if status is None:
            await self._process.wait_closed()
            status = self._process.exit_status
        if status is None or status < 0:
            raise Interrupted("the channel closed without an exit code")
        if status == NOT_UPLOADED:
            raise NotUploaded
        return _silent(address, status, self._answers.noise)

    async def _open(self, lines: Lines) -> Process:
        process = await lines.take()
        process.stdin.write(runner.call(self._mark, self._words) + self._stdin)
        return process

    def _without_end(self, pieces: Iterable[Answer | bytes]) -> list[Answer | bytes]:
        kept: list[Answer | bytes] = []
        for piece in pieces:
            self._ended = False
            if isinstance(piece, Answer) and piece.word == runner.END:
                self._status, self._ended = int(piece.rest), True
            else:
                kept.append(piece)
        return kept


class Delivery(Conversation):
    """On a channel of its own, because the end of stdin is the end of what is delivered."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error is None and self._process is not None:
            # Until then it counts among the sessions of the server.
            await self._process.wait_closed()

    async def _open(self, lines: Lines) -> Process:
        process = await lines.exec(self._words)
        process.stdin.write(self._stdin)
        process.stdin.write_eof()
        return process


def _silent(address: Address, status: int, noise: bytes) -> RunnerFailed:
    said = noise.decode(errors="replace").strip()[-_SHOWN:] or "nothing"
    hint = f"Try it: ssh -p {address.port} {address.user}@{address.host} sh -c true"
    if address.sudo:
        hint = (
            f"Allow sudo without a password on {address.host}: "
            f"echo '{address.user} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/liftlock"
        )
    return RunnerFailed(
        f"The runner did not start on host {address}: exit code {status}, it said: {said}",
        hint=hint,
    )


def no_session(address: Address) -> HostUnreachable:
    return HostUnreachable(
        f"The SSH server of host {address} opens no further session on its connection.",
        hint=f"Let it have ten: set MaxSessions 10 in sshd_config on {address.host}, then "
        "sudo systemctl reload ssh",
    )


def failed(address: Address, report: bytes) -> RunnerFailed:
    """The error for the runner's own report of what it could not write."""
    lines = report.decode(errors="replace").splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    if missing := facts.get("missing"):
        return RunnerFailed(
            f"The runner needs the program {missing} on host {address} and finds none.",
            hint=f"Install it on {address.host}: sudo apt-get install {facts.get('package')}",
        )
    if token := facts.get("token"):
        return RunnerFailed(
            f"The file {token} on host {address} holds no token: "
            f"{facts.get('holds') or 'nothing'}.",
            hint=f"When no job works on {address.host}, remove it there; the next one writes it "
            f"anew: sudo rm {token}",
        )
    base, user = facts.get("base", address.base_dir), facts.get("user", address.user)
    free = facts.get("free_kb", "")
    full = free.isdecimal() and int(free) < _FULL_BELOW_KB
    detail = (
        f"The runner cannot write {facts.get('path')} on host {address} as {user}: "
        f"{facts.get('said')}. Found there: {facts.get('found')}; {free or '?'} kB free."
    )
    if full:
        hint = f"The disk is full; look at it on {address.host}: df -h {facts.get('at')}"
    else:
        hint = (
            f"Run on {address.host}: sudo mkdir -p {base} && sudo chown -R {user} {base}  "
            "(or choose another base_dir for the host)"
        )
    return RunnerFailed(detail, hint=hint)


def refuse(address: Address, answer: Answer) -> None:
    """Raises what the fence on the host means by its answer, when it is one."""
    if answer.word == "STALE":
        name, token, newest = answer.rest.split(" ")
        raise StaleToken(
            f"Host {address} refuses token {token} of lock {unquote(name)}: it has seen {newest}. "
            "Another attempt works there now; this one did nothing.",
            hint="Nothing is to be done: the other attempt goes on.",
            lock=unquote(name),
            token=int(token),
            newest=int(newest),
        )
    if answer.word == "BUSY":
        name, seconds, holder, note = [*answer.rest.split(" ", 3), "", ""][:4]
        raise HostBusy(
            f"On host {address} a process that job {holder} started holds lock {unquote(name)}, "
            f"for {seconds} s now: {note or 'no note'}.",
            hint=f"See whose process it is, on {address.host}: fuser -v "
            f"{posixpath.join(address.base_dir, 'locks', f'{name}.lock')}",
            holder=holder,
        )
