"""From the rows of a claimed job to the values with which the engine goes on."""

from datetime import datetime

from app.domain.job import STEP_DONE, Answer, StepStatus
from app.models import JobStep
from app.services.claiming import Claim
from app.services.traces import Traces
from worker.engine import Asked, Begun, Past, StepFailed
from worker.plans.plan import Plan

_MAY_RUN = frozenset({StepStatus.RUNNING, StepStatus.UNKNOWN})
#: A step whose host fell silent has failed too, though nobody knows how it ended there.
_MAY_HAVE_FAILED = frozenset({StepStatus.FAILED, StepStatus.UNKNOWN})


def past_of(claim: Claim, plan: Plan, traces: Traces) -> Past:
    """What earlier attempts did, and what somebody answered."""
    return Past(
        begun={
            step.number: _begun(step)
            for step in claim.steps
            if step.status is not StepStatus.SKIPPED
        },
        skipped=frozenset(step.number for step in claim.steps if step.status is StepStatus.SKIPPED),
        failed=_failed(claim, plan, traces),
        asked=_asked(claim, plan),
    )


def _begun(step: JobStep) -> Begun:
    return Begun(
        facts=step.facts if step.status in STEP_DONE else None,
        since=step.started_at,
        tries=step.tries,
        running=step.status in _MAY_RUN,
    )


def _failed(claim: Claim, plan: Plan, traces: Traces) -> StepFailed | None:
    """An attempt that ended while it undid: the next one undoes, and runs no further step.

    A step that vanished has an unknown end as well, but no error: it goes on.
    """
    for step in claim.steps:
        error = traces.errors.get(step.number)
        if step.status in _MAY_HAVE_FAILED and step.number <= len(plan.steps) and error:
            names = StepFailed.__dataclass_fields__
            return StepFailed(**{name: error[name] for name in names if name in error})
    return None


def _asked(claim: Claim, plan: Plan) -> Asked | None:
    resumed = claim.resumed
    if resumed is None or resumed.get("kind") != "question":
        return None
    names = [step.name for step in plan.steps]
    return Asked(
        number=names.index(resumed["step"]) + 1,
        since=datetime.fromisoformat(resumed["since"]),
        reason=resumed["reason"],
        answer=Answer(resumed["answer"]) if resumed.get("answer") else None,
    )
