"""The final state of a job, as it is written: from how its plan ended."""

from dataclasses import replace
from typing import Any

from app.domain.job import EXTENDING, Ending, EndingWhy, JobKind, JobStatus, Outcome, ServiceState
from app.domain.problem import CODES, docs_url
from app.domain.redaction import Redactor
from app.domain.router import CannotRoute
from app.models import Job
from app.services.work import Work
from worker import engine
from worker.jobs.journal import error_of
from worker.jobs.serving import is_skipped

#: After these an app server is neither there nor gone.
_UNCONFIRMED = engine.SILENT | {"provider-failed"}


def end_of(
    work: Work, outcome: engine.Outcome, state: ServiceState | None, redactor: Redactor
) -> dict[str, Any]:
    """What was done, and what the site serves now."""
    job = work.job
    if outcome.stopped is not None:
        return {**_end_of_stopped(job, outcome, outcome.stopped, redactor), "service_state": state}
    if outcome.error is None:
        done = Outcome.CHANGED if _has_changed(work, outcome) else Outcome.UNCHANGED
        return {"status": JobStatus.SUCCEEDED, "outcome": done, "service_state": state}
    undone = Outcome.ROLLED_BACK if outcome.undone else Outcome.ROLLBACK_FAILED
    if outcome.stands:
        undone = Outcome.CHANGED
    error = _as_of_its_kind(work, outcome.error)
    # Plans do not know whose they are.
    hint = error.hint.replace("jobs retry ID", f"jobs retry {job.id}")
    return {
        "status": JobStatus.FAILED,
        "outcome": undone,
        "error": error_of(replace(error, hint=hint), redactor),
        "service_state": state,
    }


def _has_changed(work: Work, outcome: engine.Outcome) -> bool:
    """A route that was as wanted, and an app server that was gone already, are as they were."""
    match work.job.kind:
        case JobKind.ROUTE:
            return outcome.facts.get("drifted") != "no" or outcome.facts.get("reloaded") == "yes"
        case JobKind.INSPECT:
            return False
        case JobKind.TERMINATE:
            return any(one.app_server.cleaned_at is None for one in work.targets)
        case kind if kind in EXTENDING:
            return bool(work.targets) and not is_skipped(outcome)
    return True


def _as_of_its_kind(work: Work, error: engine.StepFailed) -> engine.StepFailed:
    """An app server on a host that does not answer is neither there nor gone."""
    if work.job.kind is not JobKind.TERMINATE or error.code not in _UNCONFIRMED:
        return error
    names = " and ".join(one.app_server.name for one in work.targets)
    where = "hosts show " + work.host.name if error.code in engine.SILENT else "machines list"
    ids = " ".join(str(one.app_server.id) for one in work.targets)
    return replace(
        error,
        code="unconfirmed-gone",
        cause=error.code,
        title=CODES["unconfirmed-gone"].title,
        detail=f"{names} could not be confirmed gone ({error.code}). {error.detail}",
        hint=f"Look there: liftlock {where}. Then repeat: liftlock app-servers terminate {ids}. If"
        f" it never comes back: liftlock app-servers terminate {ids} --gone --reason TEXT",
    )


def end_of_bug(bug: Exception) -> dict[str, Any]:
    """Nobody knows what it left; but a route that no router takes was never begun."""
    if isinstance(bug, CannotRoute):
        hint = "Give the instance what its router can do, or another router: docs/routers.md"
        error = _error("router-incapable", str(bug), hint)
        return {"status": JobStatus.FAILED, "outcome": Outcome.UNCHANGED, "error": error}
    error = _error(
        "internal-error",
        f"The worker met {type(bug).__name__}; its log has the trace.",
        "Report it with the worker's log; then repeat the job.",
    )
    return {"status": JobStatus.FAILED, "error": error, "service_state": ServiceState.UNKNOWN}


def _end_of_stopped(
    job: Job, outcome: engine.Outcome, ending: Ending, redactor: Redactor
) -> dict[str, Any]:
    """Canceled, or failed for the reason of the order; never more is said than is proven."""
    canceled = ending.why is EndingWhy.CANCELED
    told = {"by": ending.by, "reason": ending.reason}
    why = redactor.clean(f"Canceled by {ending.by or 'somebody'}." if canceled else "")
    said = " ".join(part for part in (why, ending.reason or "") if part)
    if outcome.unproven is not None:
        problem = error_of(outcome.unproven, redactor)
        detail = f"{said} Not everything could be ended and undone: {problem['detail']}"
        code = "cancel-unproven" if canceled else ending.why.value
        error = _error(code, detail, problem["hint"], step=problem["step"])
        return {
            "status": JobStatus.FAILED,
            "outcome": Outcome.ROLLBACK_FAILED,
            "error": error,
            "told": told,
        }
    detail = f"{said} {_undone(outcome)}"
    hint = f"See what it had done: liftlock jobs logs {job.id}; do it again: liftlock jobs retry"
    return {
        "status": JobStatus.CANCELED if canceled else JobStatus.FAILED,
        "outcome": Outcome.ROLLED_BACK if outcome.begun else Outcome.UNCHANGED,
        "error": _error(ending.why.value, detail, f"{hint} {job.id}"),
        "told": told,
    }


def _undone(outcome: engine.Outcome) -> str:
    if not outcome.begun:
        return "Nothing had been begun."
    begun = f"{outcome.begun} step{'s' * (outcome.begun != 1)} had been begun"
    return f"{begun}, {outcome.undos} of them undone; none of its processes runs."


def _error(code: str, detail: str, hint: str, *, step: str | None = None) -> dict[str, Any]:
    return {
        "code": code,
        "title": CODES[code].title,
        "detail": detail,
        "hint": hint,
        "step": step,
        "docs": docs_url(code),
    }
