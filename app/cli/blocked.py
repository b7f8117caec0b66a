"""A job that waits for others: who is in the way, how that is, which place in line, what next."""

from collections.abc import Mapping
from typing import Any

from app.cli import follow, holding
from app.cli.client import path
from app.cli.errors import ApiProblem, Unreachable
from app.cli.session import Session
from app.cli.text import cell, moment, one_line


def lines(here: Session, job: Mapping[str, Any]) -> list[str]:
    """What a person asks of a blocked job, indented; empty for one that is not blocked."""
    if job.get("status") != "blocked" or job.get("suspended"):
        return []
    told: dict[str, str] = {}
    for item in job.get("blocked_by") or ():
        told |= _in_the_way(here, job, item)
    place = {"place": f"{cell(job['position'])} in line"} if job.get("position") else {}
    until = {"gives up": moment(job["waits_until"])} if job.get("waits_until") else {}
    last = {name: told.pop(name) for name in ("what next",) if name in told}
    return [f"  {name:<10} {text}" for name, text in {**told, **place, **until, **last}.items()]


def tell(here: Session, job_id: str) -> None:
    """Print the same, of the job as it is now; nothing for programs."""
    if not here.output.json_mode:
        for line in lines(here, follow.last_state(here, job_id)):
            here.output.line(line)


def _lock_of(job: Mapping[str, Any], item: Mapping[str, Any]) -> str | None:
    """The lock that everybody in front of the job waits for; None when it is about none."""
    match item:
        case {"kind": "lock", "locks": [name, *_]}:
            return str(name)
        case {"kind": "order"} if job.get("instance"):
            return f"instance:{job['instance']['id']}"
    return None


def _in_the_way(here: Session, job: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, str]:
    lock = _held(here, _lock_of(job, item))
    holder = lock.get("holder") or {}
    hint, advice = item.get("hint"), lock.get("advice")
    # What has no living worker needs somebody; all others need patience.
    following = advice if holder and not holder.get("alive") else hint or advice
    return {**(_holder(lock) if holder else {}), **_next(following)}


def _next(told: Any) -> dict[str, str]:
    return {"what next": one_line(told)} if told else {}


def _held(here: Session, name: str | None) -> Mapping[str, Any]:
    """The lock at this moment; nothing when it was let go in the meantime."""
    if name is None:
        return {}
    try:
        lock: Mapping[str, Any] = here.api.get(path("locks", name))
    except (ApiProblem, Unreachable):
        return {}
    return lock


def _holder(lock: Mapping[str, Any]) -> dict[str, str]:
    holder = lock["holder"]
    return {
        "lock": f"{cell(lock.get('name'))}, held by job {cell(holder.get('job'))}",
        "step": holding.step(holder),
        "last line": cell(holder.get("last_line")),
        "alive": holding.alive(holder),
    }
