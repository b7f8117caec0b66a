"""One call of the runner over one channel: its answers, and what its silence means."""

import asyncio
from types import TracebackType
from typing import Self

import asyncssh

from worker.remote.errors import HostUnreachable, RunnerFailed
from worker.remote.host import Address
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

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        line: str,
        stdin: bytes,
        *,
        mark: str,
        stay: bool = False,
    ) -> None:
        """With `stay`, stdin is held open: the runner follows a step for as long as it is."""
        self._stay = stay
        self._connection = connection
        self._line = line
        self._stdin = stdin
        self._answers = Answers(mark)
        self._process: asyncssh.SSHClientProcess[bytes] | None = None

    async def __aenter__(self) -> Self:
        try:
            # Complaints of shells and of sudo come as noise before the first answer.
            self._process = await self._connection.create_process(
                self._line, encoding=None, stderr=asyncssh.STDOUT
            )
            self._process.stdin.write(self._stdin)
            if not self._stay:
                self._process.stdin.write_eof()
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
        if self._process is not None:
            self._process.close()

    async def read(self) -> list[Answer | bytes]:
        """What came next; never empty before the end. Raises Interrupted when the line breaks."""
        assert self._process is not None  # noqa: S101 - entered
        pieces: list[Answer | bytes] = []
        while not pieces:
            try:
                data = await self._process.stdout.read(_CHUNK)
            except (OSError, asyncssh.Error) as error:
                raise Interrupted(str(error)) from error
            if not data:
                return []
            pieces = list(self._answers.feed(data))
        return pieces

    async def explain_silence(self, address: Address) -> RunnerFailed:
        """Why the runner left without an answer; raises Interrupted when that is not known."""
        assert self._process is not None  # noqa: S101 - entered
        await self._process.wait_closed()
        status = self._process.exit_status
        if status is None or status < 0:
            raise Interrupted("the channel closed without an exit code")
        if status == NOT_UPLOADED:
            raise NotUploaded
        return _silent(address, status, self._answers.noise)


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


async def collect(conversation: Conversation, *, seconds: float) -> tuple[Answer | None, bytes]:
    """The first answer of a short call and everything behind it."""
    answer: Answer | None = None
    rest = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while pieces := await conversation.read():
                for piece in pieces:
                    if isinstance(piece, bytes):
                        rest += piece
                    elif answer is None:
                        answer = piece
    except TimeoutError as error:
        raise Interrupted(f"no answer within {seconds:g} seconds") from error
    return answer, bytes(rest)
