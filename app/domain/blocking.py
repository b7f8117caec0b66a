"""What somebody can do about a job that waits, for each of its reasons (`blocked_by`)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID


def hint(item: Mapping[str, Any], *, job: UUID) -> str:
    """The next thing to do, with the command; `job` is the one that waits."""
    running = "liftlock jobs list --status running"
    match item:
        case {"kind": "lock", "job": holder}:
            locks = item.get("locks") or ()
            stuck = f" Is it stuck? liftlock locks show {locks[0]}" if locks else ""
            told = f"It begins when job {holder} ends: liftlock jobs logs -f {holder}.{stuck}"
        case {"kind": "order", "job": older}:
            told = f"It begins after job {older}: liftlock jobs show {older}"
        case {"kind": "capacity", "host": host}:
            more = f"liftlock hosts set {host} --capacity N"
            told = f"It begins when a job on host {host} ends: {running}. To let more run: {more}"
        case {"kind": "limit"}:
            more = "set LIFTLOCK_MAX_RUNNING of the workers"
            told = f"It begins when any job ends: {running}. To let more run: {more}"
        case {"kind": "locks-unavailable"}:
            told = (
                "It is tried again a few times, every second. See that Redis answers: GET /readyz"
            )
        case {"kind": "wait-question"}:
            told = f"Say what became of the step: liftlock jobs answer {job} done|repeat|failed"
        case {"kind": "wait-time" | "wait-probe"}:
            told = f"It goes on by itself; to give it up: liftlock jobs cancel {job}"
        case _:
            told = f"See what it told: liftlock jobs logs {job}"
    return told


#: What changes while the same one is in the way.
_PASSING = frozenset({"position", "attempts", "at", "detail"})


def culprits(blocked_by: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Who is in the way, to compare: a job is the same one however far it is."""
    return [
        item.get("job") or {name: item[name] for name in item.keys() - _PASSING}
        for item in blocked_by
    ]


def words(blocked_by: Sequence[Mapping[str, Any]]) -> str:
    """Who is in the way, in a sentence's part."""
    return "; ".join(_words(item) for item in blocked_by) or "its turn"


def _words(item: Mapping[str, Any]) -> str:
    match item:
        case {"kind": "order", "job": older}:
            return f"job {older}, which goes first"
        case {"kind": "capacity", "host": host, "capacity": capacity}:
            return f"a free place on host {host} ({capacity} at a time)"
        case {"kind": "limit", "most_running": most}:
            return f"a free place among all jobs ({most} at a time)"
        case {"kind": "locks-unavailable"}:
            return "Redis, which did not answer"
        case {"job": holder}:
            by = f"by {item['actor']}" if item.get("actor") else None
            known = [str(part) for part in (item.get("why") or item.get("job_kind"), by) if part]
            return f"job {holder}" + (f" ({' '.join(known)})" if known else "")
    return str(item.get("reason") or item.get("kind") or "something else")
