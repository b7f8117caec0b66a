"""The channels of one connection on which the runner waits for its next call.

An exec costs a login shell with all its start-up files each time; here it is paid once.
"""

import asyncio

import asyncssh

from worker.remote import runner
from worker.remote.host import Address

Process = asyncssh.SSHClientProcess[bytes]


class Lines:
    def __init__(self, connection: asyncssh.SSHClientConnection, address: Address) -> None:
        self._connection = connection
        self._address = address
        self._waiting: list[Process] = []

    async def take(self) -> Process:
        """One on which nobody speaks; raises asyncssh's errors when the server opens no more."""
        while self._waiting:
            process = self._waiting.pop()
            if not process.is_closing():
                return process
        return await self.exec(runner.listen_line(self._address))

    def give_back(self, process: Process) -> None:
        """After the end of a call; a channel with an unfinished one is to be closed instead."""
        if self._connection.is_closed():
            process.close()
        else:
            self._waiting.append(process)

    async def exec(self, line: str) -> Process:
        """A channel of its own for one command line."""
        try:
            return await self._exec(line)
        except asyncssh.ChannelOpenError:
            # Those that wait may hold the few sessions that this server allows.
            if not await self._make_room():
                raise
            return await self._exec(line)

    async def _exec(self, line: str) -> Process:
        # Complaints of shells and of sudo come as noise before the first answer.
        return await self._connection.create_process(line, encoding=None, stderr=asyncssh.STDOUT)

    async def _make_room(self) -> bool:
        closing, self._waiting = self._waiting, []
        for process in closing:
            process.close()
        for process in closing:
            await process.wait_closed()
        return bool(closing)

    async def answer_within(self, seconds: float) -> bool:
        """False when the host stays silent; without a waiting channel nothing is asked."""
        if not self._waiting:
            return True
        process = self._waiting.pop()
        mark = runner.new_mark()
        try:
            async with asyncio.timeout(seconds):
                process.stdin.write(runner.call(mark))
                await process.stdout.readuntil(b"\n")
        except TimeoutError:
            process.close()
            return False
        except (OSError, EOFError, asyncssh.Error):
            process.close()  # an answer too: that the runner was removed, for one
            return True
        self.give_back(process)
        return True
