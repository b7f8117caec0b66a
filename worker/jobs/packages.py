"""Uploaded packages, for the engine."""

from app import services
from app.errors import NotFound
from worker.engine.failed import Failed
from worker.jobs.lease import Lease
from worker.jobs.runtime import Runtime
from worker.steps.step import Failure


async def package_of(runtime: Runtime, lease: Lease, sha256: str) -> bytes:
    """Its bytes; raises Failed when somebody has removed it."""
    try:
        return await lease.insist(lambda: services.packages.content(runtime.db, sha256))
    except NotFound as error:
        hint = "Upload it again, under the same name; then repeat the job."
        failure = Failure("step-failed", "An uploaded package is gone", hint)
        raise Failed(failure, error.detail) from error
