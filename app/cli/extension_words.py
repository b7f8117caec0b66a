"""What happens to extensions, in words."""

from collections.abc import Callable, Mapping
from typing import Any

from app.cli.text import cell, one_line

Data = Mapping[str, Any]

_DONE = {
    "install": "is installed and enabled",
    "uninstall": "is removed",
    "enable": "is enabled",
    "disable": "is disabled",
}
_ALREADY = {
    "install": "was there already",
    "uninstall": "was not there",
    "enable": "was enabled already",
    "disable": "was disabled already",
}


def _named(data: Data) -> str:
    return one_line(f"{data.get('name') or '?'} {data.get('version') or ''}")


def _failed(data: Data) -> str:
    why = (data.get("error") or {}).get("title") or "it went wrong"
    status = data.get("status") or "failed"
    now = "" if status == "failed" else f"; it is {cell(status)}, as before"
    return f"{_named(data)} failed: {one_line(why)}{now}"


def _degraded(data: Data) -> str:
    """The first files stand in the event, and with the extension."""
    wrong = data.get("wrong") or 0
    files = [one_line(str(one)) for one in data.get("files") or ()]
    said = [f"{wrong} file{'s' * (wrong != 1)}"] if wrong else []
    said += [files[0] + (", …" if wrong > 1 else "")] if files else []
    said += [] if data.get("stamp", True) else ["no stamp"]
    why = f" ({'; '.join(said)})" if said else ""
    return f"{_named(data)} is degraded on {cell(data.get('host'))}{why}"


#: Events about extensions, and of steps that what was found made needless.
WORDS: Mapping[str, Callable[[Data], str]] = {
    "extension.changed": lambda data: f"{_named(data)} is {cell(data.get('status'))}",
    "extension.failed": _failed,
    "extension.degraded": _degraded,
    "extension.recovered": lambda data: (
        f"{_named(data)} is whole again on {cell(data.get('host'))}"
    ),
    "step.skipped": lambda data: (
        f"skipped: {one_line(data.get('title') or data.get('step') or '?')}"
    ),
}


def done(job: Data) -> str | None:
    """What a job about an extension has brought about; None for other kinds."""
    kind, words = str(job.get("kind")), _DONE
    if kind == "inspect":
        return f"{one_line((job.get('instance') or {}).get('name') or '?')} was looked at"
    if kind not in words:
        return None
    wanted = (job.get("params") or {}).get("extension") or {}
    named = _named({**wanted, "name": wanted.get("package")})
    instance = one_line((job.get("instance") or {}).get("name") or "?")
    if job.get("outcome") == "unchanged":
        return f"{named} {_ALREADY[kind]}; nothing of {instance} was changed"
    return f"{named} {words[kind]} on {instance}"
