"""Who holds a lock, in words: what a person asks at night before breaking one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.cli.text import cell, duration, moment, one_line

_NO_WORKER = "no worker has it"
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60

Lock = Mapping[str, Any]


def answers(lock: Lock) -> dict[str, str]:
    """Who, what, since when, last line, alive, safe to break, what next; in that order."""
    holder = lock.get("holder") or {}
    return {
        "lock": cell(lock.get("name")),
        "who": cell(lock.get("actor")),
        "what": what(lock),
        "since": _since(lock.get("since")),
        **(_work(holder) if holder else {}),
        "waiting": f"{len(lock.get('waiting') or ())}",
        "safe to break": cell(lock.get("safe_to_break")),
        "token": cell(lock.get("token")),
        "what next": cell(lock.get("advice")),
    }


def what(lock: Lock) -> str:
    """What it is held for: a job's purpose, or the message of who placed it."""
    return cell((lock.get("holder") or {}).get("why") or lock.get("message"))


def alive(holder: Mapping[str, Any]) -> str:
    return f"{cell(holder.get('alive'))}{_heard(holder)}" if holder.get("worker") else _NO_WORKER


def busy(lock: Lock) -> str:
    """Whose worker is alive, in a sentence."""
    holder = lock["holder"]
    worker, job = cell(holder.get("worker")), cell(holder.get("job"))
    return f"Worker {worker} is busy with job {job} ({what(lock)}){_heard(holder)}."


def _heard(holder: Mapping[str, Any]) -> str:
    """To go behind other words; empty when nobody knows."""
    at = holder.get("heard_at")
    return f", heard {duration(_seconds(at))} ago" if at else ""


def step(holder: Mapping[str, Any]) -> str:
    if not holder.get("step"):
        return "none yet"
    since = holder.get("step_since")
    took = f", for {duration(_seconds(since))}" if since else ""
    return f"{one_line(holder['step'])}{took}"


def age(since: Any) -> str:
    """The same in one short word or two, for a table."""
    seconds = _seconds(since)
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name}"
    return f"{int(seconds)} s"


def _work(holder: Mapping[str, Any]) -> dict[str, str]:
    return {
        "job": f"{cell(holder.get('job'))} ({cell(holder.get('status'))})",
        "worker": f"{cell(holder.get('worker'))}, attempt {cell(holder.get('attempt'))}",
        "step": step(holder),
        "last line": cell(holder.get("last_line")),
        "alive": alive(holder),
    }


def _since(value: Any) -> str:
    return f"{moment(value)} ({duration(_seconds(value))})" if value else "-"


def _seconds(since: Any) -> float:
    """From then until now; never below zero, as the clocks of two machines differ."""
    try:
        at = datetime.fromisoformat(str(since))
    except ValueError:
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - at).total_seconds())
