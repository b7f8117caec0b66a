"""A host behind SSH."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncssh

from worker.remote import calls, fetching, listing, ssh, transfer
from worker.remote.following import Following, Patience
from worker.remote.host import Fence, HttpAnswer, Listed, Listing, Output, Sent
from worker.remote.link import Link
from worker.remote.site import Site, ask
from worker.steps.step import Command

_LOCALHOST = "127.0.0.1"


class SshHost:
    def __init__(self, link: Link, *, patience: Patience | None = None) -> None:
        self._link = link
        self._patience = patience or Patience()

    @property
    def name(self) -> str:
        return self._link.address.name

    async def run(
        self,
        command: Command,
        *,
        name: str,
        secrets: Mapping[str, str],
        output: Output,
        fence: Fence | None = None,
    ) -> int:
        following = Following(
            self._link,
            command,
            name=name,
            values={**command.env, **secrets},
            output=output,
            fence=fence,
            patience=self._patience,
        )
        async with self._link.channels:
            return await following.exit_code()

    async def http_get(
        self,
        port: int,
        path: str,
        *,
        timeout: float,  # noqa: ASYNC109 - a silent site is an answer
        address: str = _LOCALHOST,
        name: str = "",
        tls: bool = False,
    ) -> HttpAnswer:
        site = Site(address, port, name, tls=tls)
        connection = await self._link.connection()
        try:
            async with self._link.forwards, asyncio.timeout(timeout):
                return await self._http_get(connection, site, path)
        except TimeoutError:
            # The one that is silent may be the host.
            await self._link.check()
            return HttpAnswer(0, "", problem=f"no answer within {timeout:g} s")

    async def port_open(self, port: int, address: str = _LOCALHOST) -> bool:
        connection = await self._link.connection()
        async with self._link.forwards:
            try:
                _, writer = await connection.open_connection(address, port, encoding=None)
            except asyncssh.ChannelOpenError as error:
                self._check_forwarding(error, f"{address}:{port}")
                return False
            except (OSError, asyncssh.Error) as error:
                raise ssh.unreachable(self._link.address, error) from error
            writer.close()
            return True

    async def send(
        self, source: Path, to: str, fence: Fence | None = None, *, within: str | None = None
    ) -> Sent:
        async with self._link.channels:
            return await transfer.send(self._link, source, to, fence, within=within)

    async def list_files(
        self, folder: str, *, within: str, fence: Fence | None = None, show: Output | None = None
    ) -> Listing:
        async with self._link.channels:
            return await listing.list_files(
                self._link, folder, within=within, fence=fence, show=show
            )

    async def fetch(
        self, folder: str, files: Sequence[Listed], into: Path, fence: Fence | None = None
    ) -> None:
        async with self._link.channels:
            await fetching.fetch(self._link, folder, files, into, fence)

    async def kill(self, name: str, fence: Fence | None = None) -> None:
        await calls.kill(self._link, name, fence)

    async def reap(self, job: str, fence: Fence | None = None) -> None:
        await calls.reap(self._link, job, fence)

    async def clean(self, *names: str, fence: Fence | None = None) -> None:
        await calls.clean(self._link, *names, fence=fence)

    async def tidy(self, days: int) -> None:
        await calls.tidy(self._link, days)

    async def _http_get(
        self, connection: asyncssh.SSHClientConnection, site: Site, path: str
    ) -> HttpAnswer:
        try:
            reader, writer = await connection.open_connection(
                site.address, site.port, encoding=None
            )
        except asyncssh.ChannelOpenError as error:
            self._check_forwarding(error, site.place)
            return HttpAnswer(0, "", problem="the port refuses connections")
        except (OSError, asyncssh.Error) as error:
            raise ssh.unreachable(self._link.address, error) from error
        try:
            answer = await ask(reader, writer, site, path)
        except (OSError, asyncssh.Error) as error:
            answer = HttpAnswer(0, "", problem=f"the connection broke: {error}")
        finally:
            writer.close()
        if answer.problem and connection.is_closed():  # that to the host itself
            lost = asyncssh.ConnectionLost("the connection broke")
            raise ssh.unreachable(self._link.address, lost)
        return answer

    def _check_forwarding(self, error: asyncssh.ChannelOpenError, target: str) -> None:
        """A server that forbids forwarding says nothing about the port."""
        if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            raise ssh.forwarding_refused(self._link.address, target) from error
