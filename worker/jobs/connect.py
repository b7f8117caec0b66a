"""From the rows of a host to a connection: addresses, jump hosts and Liftlock's own keys."""

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
    jump: Address | None = None
    for host in reversed(work.jumps):
        jump = _address(host, jump)
    return _address(work.host, jump)


def fence_of(claim: Claim, worker: str) -> Fence:
    """What the host compares with the locks it has seen."""
    job = claim.job
    note = f"job {job.id} ({job.kind}, attempt {job.attempt}) of worker {worker}"
    return Fence(tokens=claim.tokens, job=str(job.id), note=note)


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
