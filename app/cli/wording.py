"""What happens to a job, in words, for the log and for the progress."""

from collections.abc import Mapping
from typing import Any

from app.cli import extension_words, traffic
from app.cli.text import cell, moment, one_line, size

#: Events that are worded alike in the log and in the progress, by whom they are about.
WORDS = {**traffic.WORDS, **extension_words.WORDS}


def suspended(data: Mapping[str, Any]) -> str:
    """What it waits for, and until when."""
    until = f" until {moment(data['until'])}" if data.get("until") else ""
    reason = f": {one_line(data['reason'])}" if data.get("reason") else ""
    return f"Waiting{until}, without a worker{reason}"


def canceling(data: Mapping[str, Any]) -> str:
    """Who asked for it, or, from the worker, what stops when."""
    if data.get("stops"):
        step = f"{one_line(data['step'])} stops" if data.get("step") else "it stops"
        then = one_line(data.get("then") or "it ends")
        return f"Canceling: {step} {one_line(data['stops'])}, then {then}"
    forced = "by force, " if data.get("force") else ""
    reason = f": {one_line(data['reason'])}" if data.get("reason") else ""
    return f"Canceling, {forced}asked for by {cell(data.get('by'))}{reason}"


def broken(data: Mapping[str, Any]) -> str:
    """Who took the job's lock away, and why."""
    reason = f": {one_line(data['reason'])}" if data.get("reason") else ""
    return f"Its lock {cell(data.get('name'))} was broken by {cell(data.get('by'))}{reason}"


def retrying(data: Mapping[str, Any]) -> str:
    """Which try comes when, and why."""
    of = f" of {data['of']}" if data.get("of") else ""
    why = (data.get("error") or {}).get("title") or "it went wrong"
    return f"try {cell(data.get('try'))}{of} in {cell(data.get('wait_s'))} s: {one_line(why)}"


def published(data: Mapping[str, Any]) -> str:
    """How much is in the store now, and how much of it is new there."""
    new = f"{cell(data.get('new_files'))} new ({size(data.get('new_bytes'))})"
    return f"{cell(data.get('files'))} files ({size(data.get('bytes'))}), {new}{_noted(data)}"


def unpublished(data: Mapping[str, Any]) -> str:
    """How much is wrong with it; the errors themselves are the release's."""
    return f"asset release {cell(data.get('release'))} failed{_noted(data)}"


def blockers(blocked_by: list[Mapping[str, Any]]) -> str:
    """Who is in the way, in words."""
    return "; ".join(_blocker(item) for item in blocked_by) or "another job"


def _noted(data: Mapping[str, Any]) -> str:
    counts = {name: int(data.get(f"{name}s_total") or 0) for name in ("error", "warning")}
    return "".join(f", {n} {name}{'s' * (n != 1)}" for name, n in counts.items() if n)


def _blocker(item: Mapping[str, Any]) -> str:
    match item:
        case {"kind": "lock", "job": job, "job_kind": kind, "actor": actor, "since": since}:
            why = one_line(item.get("why") or kind)
            return f"job {job} ({why} by {actor}, since {moment(since)})"
        case {"kind": "order", "job": job}:
            return f"job {job}, which was asked for earlier"
        case {"kind": "capacity", "host": host, "capacity": capacity}:
            return f"a free place on host {host} ({capacity} at a time)"
        case {"kind": "limit", "most_running": most}:
            return f"one of the jobs that run to end ({most} at a time)"
        case {"kind": "locks-unavailable"}:
            return "Redis, which does not answer"
    return cell(dict(item))
