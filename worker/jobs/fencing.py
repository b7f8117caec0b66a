"""A host that knows newer tokens than Postgres: after a restore from a backup."""

from app import services
from app.services.claiming import Claim
from worker.jobs.lease import Lease
from worker.jobs.runtime import Runtime
from worker.remote.errors import StaleToken


async def raise_token(runtime: Runtime, claim: Claim, lease: Lease, stale: StaleToken) -> None:
    """Let the next attempt have a token that the host takes.

    Raises LostOwnership when Postgres says that the job is somebody else's, as the host does.
    """
    if stale.lock is None:
        raise stale
    lock, ours, host = stale.lock, stale.token, stale.newest
    await lease.insist(
        lambda: services.fencing.raise_token(runtime.db, claim.job, lock=lock, ours=ours, host=host)
    )
