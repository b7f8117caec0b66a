"""Every kind of write that a worker makes, as an attempt that does not have the job any more."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import JobStatus, Outcome, StepStatus
from app.models import Job
from app.services.claiming import Claim
from app.store.database import Database

_TOLD = EventType.STEP_OUTPUT, {"number": 1, "step": "look", "text": "from the grave"}
_PLAN = [{"number": 1, "name": "look", "title": "Look"}]

Write = Callable[[Database, Job], Coroutine[Any, Any, Any]]


def _settle(status: JobStatus) -> Write:
    error = None if status is JobStatus.SUCCEEDED else {"code": "step-failed"}
    outcome = Outcome.CHANGED if error is None else Outcome.ROLLED_BACK
    return lambda db, job: services.ending.settle(
        db, job, status=status, error=error, outcome=outcome
    )


def _execution(name: str, /, **values: Any) -> Write:
    return lambda db, job: getattr(services.execution, name)(db, job, **values)


def _mark_prepared(participant: str | None) -> Write:
    def write(db: Database, job: Job) -> Coroutine[Any, Any, Any]:
        if job.instance_id is None:  # there is nothing to prepare
            return services.claiming.renew(db, job)
        return services.execution.mark_prepared(db, job, participant=participant)

    return write


WRITES: dict[str, Write] = {
    "renew": services.claiming.renew,
    "record": lambda db, job: services.execution.record(db, job, _TOLD),
    "start step": _execution("start_step", number=1, name="look", title="Look"),
    "retry step": _execution("retry_step", number=1, tries=2, event=_TOLD),
    "finish step": _execution(
        "finish_step",
        number=1,
        status=StepStatus.SUCCEEDED,
        exit_code=0,
        duration_ms=1,
        facts={},
        event=_TOLD,
    ),
    "keep plan": lambda db, job: services.execution.keep_plan(
        db, job.id, _PLAN, attempt=job.attempt
    ),
    "move app server": lambda db, job: services.execution.move_app_server(
        db, job, AppServerStatus.WAITING
    ),
    "set commit": lambda db, job: services.execution.set_commit(db, job, "c0ffee"),
    "keep the instance prepared": _mark_prepared(None),
    "keep host key": _execution("keep_host_key", host_key="ssh-ed25519 AAAA", fingerprint="x"),
    "block": lambda db, job: services.claiming.block(
        db, job, attempt=job.attempt, blocked_by=[{"kind": "order"}]
    ),
    "suspend": lambda db, job: services.claiming.suspend(
        db, job, until=datetime.now(UTC), suspended={"kind": "time"}
    ),
    "hand over": services.claiming.hand_over,
    "succeed": _settle(JobStatus.SUCCEEDED),
    "fail": _settle(JobStatus.FAILED),
    "cancel": _settle(JobStatus.CANCELED),
    "keep a participant": _mark_prepared("database"),
    "raise token": lambda db, job: services.fencing.raise_token(
        db, job, lock=f"instance:{job.instance_id}", ours=1, host=1000
    ),
}


async def claim_again(db: Database, claim: Claim, names: tuple[str, ...]) -> None:
    """The wake-up that made this attempt, once more."""
    await services.claiming.claim(
        db, claim.work, attempt=claim.job.attempt, worker="zombie", lock_names=names
    )
