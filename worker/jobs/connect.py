"""From the rows of a host to a connection: addresses, jump hosts and Liftlock's own keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app import services
from app.models import Host
from app.services.work import Work
from worker.jobs.runtime import Runtime
from worker.remote.host import Address
from worker.remote.hosts import Hosts


@asynccontextmanager
async def open_hosts(runtime: Runtime) -> AsyncIterator[Hosts]:
    """Connections for one job, with the newest identity first; closed at its end."""
    hosts = Hosts(await services.identities.private_keys(runtime.db, runtime.vault))
    try:
        yield hosts
    finally:
        await hosts.aclose()


def address_of(work: Work) -> Address:
    """The job's host, through the hosts it has to jump through."""
    jump: Address | None = None
    for host in reversed(work.jumps):
        jump = _address(host, jump)
    return _address(work.host, jump)


def _address(host: Host, jump: Address | None) -> Address:
    return Address(
        name=host.name,
        host=host.address,
        port=host.port,
        user=host.username,
        host_key=host.host_key,
        base_dir=host.base_dir,
        sudo=host.sudo,
        jump=jump,
    )
