"""From the rows of a host to a connection: addresses, jump hosts and Liftlock's own keys."""

from collections.abc import Iterable

from app import services
from app.models import Host
from app.services.claiming import Claim
from app.services.work import Work
from worker.jobs.runtime import Runtime
from worker.remote.host import Address, Fence
from worker.remote.hosts import Hosts


async def open_hosts(runtime: Runtime) -> Hosts:
    """The worker's connections, for a job that begins now: with the newest identities."""
    return runtime.pool.hosts(await services.identities.private_keys(runtime.db, runtime.vault))


def address_of(work: Work) -> Address:
    """The job's host, through the hosts it has to jump through."""
    return through(work.host, work.jumps)


def addresses_of(work: Work) -> dict[str, Address]:
    """Every host that the job has to do with, by name: its own, app servers' and the router's."""
    ways = {one.host.name: through(one.host, one.jumps) for one in (*work.targets, *work.before)}
    if routed := work.routed:
        ways[routed.host.name] = through(routed.host, routed.jumps)
    return {**ways, work.host.name: address_of(work)}


def fence_of(claim: Claim, worker: str) -> Fence:
    """What the host compares with the locks it has seen."""
    job = claim.job
    note = f"job {job.id} ({job.kind}, attempt {job.attempt}) of worker {worker}"
    return Fence(tokens=claim.tokens, job=str(job.id), note=note)


def through(host: Host, jumps: Iterable[Host]) -> Address:
    """A host's address, by way of the hosts to jump through, nearest to the worker last."""
    jump: Address | None = None
    for one in reversed(tuple(jumps)):
        jump = _address(one, jump)
    return _address(host, jump)


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
