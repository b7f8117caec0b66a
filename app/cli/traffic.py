"""What happens to app servers in service and to routers, in words."""

from collections.abc import Callable, Mapping
from typing import Any

from app.cli.text import cell, moment, one_line

Data = Mapping[str, Any]


def _followed(data: Data) -> str:
    why = "activates"
    if data.get("why") == "attempt":
        why = f"is attempt {cell(data.get('attempt'))} of {cell(data.get('of'))}"
    return f"Followed by job {cell(data.get('job'))}, which {why}"


def _given_up(data: Data) -> str:
    which = f"attempt {cell(data.get('attempt'))} of {cell(data.get('of'))}"
    return f"No other attempt follows {which}: {one_line(data.get('why') or 'it is over')}"


def _routed(data: Data) -> str:
    upstreams = data.get("upstreams") or []
    to = f"passes requests on to {cell(upstreams)}" if upstreams else "tells everybody to come back"
    return f"Router {cell(data.get('router'))} {to}"


#: Events of an activation and of what follows a job.
WORDS: Mapping[str, Callable[[Data], str]] = {
    "app_server.activated": lambda data: f"{cell(data.get('name'))} is in service",
    "app_server.deactivated": lambda data: f"{cell(data.get('name'))} is out of service",
    "app_server.cleaned": lambda data: (
        f"{cell(data.get('name'))} is gone from {cell(data.get('host'))}"
    ),
    "activation.skipped": lambda data: (
        f"Nothing was activated: job {cell(data.get('newer'))} is newer, and in service"
    ),
    "job.followed": _followed,
    "job.given_up": _given_up,
    "host.quarantined": lambda data: (
        f"Host {cell(data.get('host'))} is quarantined: {one_line(data.get('detail') or '')}"
    ),
    "route.applied": _routed,
    "route.drifted": lambda data: (
        f"Router {cell(data.get('router'))} was not as it should be: "
        f"{one_line(data.get('found') or '')}"
    ),
}

_DONE = {
    "activate": "in service",
    "deactivate": "out of service, and still running",
    "terminate": "gone from its host",
}


def done(job: Data) -> str | None:
    """What a job about app servers or a router has brought about; None for other kinds."""
    instance = one_line((job.get("instance") or {}).get("name") or "?")
    if job.get("kind") == "route":
        return f"the router of {instance} is as it should be"
    became = _DONE.get(str(job.get("kind")))
    if became is None:
        return None
    names = [one_line(item.get("name") or "?") for item in job.get("app_servers") or ()]
    return (
        f"{' and '.join(names) or 'it'} of {instance} {'are' if len(names) > 1 else 'is'} {became}"
    )


def behind(route: Data) -> str:
    """How far a router is behind what is wanted of it."""
    since, failures = route.get("behind_since"), int(route.get("failures") or 0)
    told = f"being applied, since {moment(since)}" if since else "being applied"
    if not failures:
        return told
    return f"{told}; failed {failures} time(s), tried again at {moment(route.get('next_try_at'))}"


def drifted(drift: Data) -> str:
    """What a look at a router found, and what became of it."""
    repaired = drift.get("repaired_at")
    became = f"repaired at {moment(repaired)}" if repaired else "not repaired yet"
    where = f"{cell(drift['instance'])} " if drift.get("instance") else ""
    return f"drifted  {where}at {moment(drift.get('at'))}, {became}: {one_line(drift['found'])}"


def refs(instance: str, found: Any) -> list[str]:
    """App servers as commands name them: `shop:2`."""
    return [f"{instance}:{item['number']}" for item in found or () if item.get("number")]


def activate(wanted: list[str]) -> str:
    """The command that puts exactly these into service."""
    first, *others = wanted
    return " ".join(["liftlock app-servers activate", first, *(f"--with {one}" for one in others)])
