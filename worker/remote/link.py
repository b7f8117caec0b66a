"""The one connection to an address: made at first use and after a loss, closed when idle."""

import asyncio
import random
from weakref import WeakSet

import asyncssh

from worker.remote import ssh
from worker.remote.channels import Channels
from worker.remote.errors import HostUnreachable, RemoteError
from worker.remote.gate import Gate
from worker.remote.host import Address
from worker.remote.lines import Lines

#: Seconds before the second, third and fourth attempt, give or take a half.
PAUSES = (0.5, 1.5, 4.0)
#: A server that refuses may let us in a moment later; one that says nothing for so many seconds
#: is not asked again here: whoever wants it decides.
SILENT = 5.0
#: A connection that nobody uses is closed after so many seconds.
IDLE = 60.0
#: After so many seconds of silence the host is asked whether it lives, and has so many for the
#: answer: a peer that vanished in between must not cost the next job 15 seconds.
SILENCE = 5.0
ANSWER = 3.0
#: OpenSSH allows ten sessions on a connection; two stay free to end the others.
_CHANNELS = 8
_SPARE = 2
#: A forwarded port is no session; these are for looks, which are short.
_FORWARDS = 32


class Link:
    """Shared by the jobs of a worker; its timer keeps it in the pool while it is connected."""

    def __init__(
        self,
        address: Address,
        identities: list[asyncssh.SSHKey],
        *,
        jump: "Link | None",
        gate: Gate,
    ) -> None:
        self.address = address
        #: For steps, which may take long.
        self.channels = Channels(_CHANNELS)
        #: For short calls about them.
        self.spare = Channels(_SPARE)
        #: For looks at ports: one that had to wait for steps would be told as a silent site.
        self.forwards = Channels(_FORWARDS)
        self._identities = identities
        self._jump = jump
        self._gate = gate
        self._lock = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._lines: Lines | None = None
        self._through: WeakSet[Link] = WeakSet()  # whoever jumps over this host
        self._heard = 0.0
        #: When the last attempt to connect failed, and how.
        self._refused: tuple[float, HostUnreachable] | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.is_closed()

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The living connection; failures that may pass are tried again a few times."""
        return (await self._open())[0]

    async def lines(self) -> Lines:
        return (await self._open())[1]

    async def check(self) -> None:
        """Raises HostUnreachable when the host is silent; its connection is given up then."""
        connection, lines = self._connection, self._lines
        if connection is None or lines is None or await lines.answer_within(ANSWER):
            return
        connection.abort()
        silence = asyncssh.ConnectionLost(f"it said nothing for {ANSWER:g} s")
        raise ssh.unreachable(self.address, silence)

    def heard(self) -> None:
        """The host said something, or is about to be asked."""
        self._heard = asyncio.get_running_loop().time()

    async def tunnel(self) -> asyncssh.SSHClientConnection | None:
        """The connection to the jump host, when there is one."""
        if self._jump is None:
            return None
        self._jump._through.add(self)  # noqa: SLF001 - of this class
        return await self._jump.connection()

    async def aclose(self) -> None:
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()

    async def _open(self) -> tuple[asyncssh.SSHClientConnection, Lines]:
        asked = asyncio.get_running_loop().time()
        async with self._lock:
            if self._refused is not None and self._refused[0] >= asked:
                # Somebody tried while this one waited: the answer is for both.
                raise HostUnreachable(self._refused[1].detail, hint=self._refused[1].hint)
            if self._connection is not None and self._lines is not None and self.is_open:
                if self._silence() < SILENCE or await self._lines.answer_within(ANSWER):
                    self.heard()
                    return self._connection, self._lines
                # Closing it in good manners would wait for the very peer that is silent.
                self._connection.abort()
            try:
                self._connection = await self._connect()
            except HostUnreachable as error:
                self._refused = asyncio.get_running_loop().time(), error
                raise
            self._lines = Lines(self._connection, self.address)
            self.heard()
            self._watch(self._connection, IDLE)
            return self._connection, self._lines

    def _watch(self, connection: asyncssh.SSHClientConnection, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._close_when_idle, connection)

    def _close_when_idle(self, connection: asyncssh.SSHClientConnection) -> None:
        if connection.is_closed():
            return
        if self._is_used():
            self._watch(connection, IDLE)
        elif (left := IDLE - self._silence()) > 0:
            self._watch(connection, left)
        else:
            connection.close()

    def _is_used(self) -> bool:
        through = any(link.is_open for link in self._through)
        used = self.channels.used or self.spare.used or self.forwards.used
        return bool(used or through or self._lock.locked())

    def _silence(self) -> float:
        return asyncio.get_running_loop().time() - self._heard

    async def _connect(self) -> asyncssh.SSHClientConnection:
        for pause in PAUSES:
            began = asyncio.get_running_loop().time()
            try:
                return await self._attempt()
            except RemoteError as error:
                silent = asyncio.get_running_loop().time() - began > SILENT
                if not error.transient or silent:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        try:
            return await self._attempt()
        except HostUnreachable as error:
            tries = len(PAUSES) + 1
            raise HostUnreachable(
                f"{error.detail} Tried {tries} times.", hint=error.hint
            ) from error

    async def _attempt(self) -> asyncssh.SSHClientConnection:
        tunnel = await self.tunnel()
        async with self._gate.passing(self.address):
            return await ssh.connect(self.address, self._identities, tunnel)
