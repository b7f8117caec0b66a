"""Inspect: what serves is looked at, and what was found is kept; nothing changes on any host."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydantic import JsonValue

from app.domain.job import JobKind
from worker.plans import extension_parts
from worker.plans.deployment import Deployment
from worker.plans.plan import Plan
from worker.steps.step import Note, Step


@dataclass(frozen=True, kw_only=True)
class InspectRequest:
    """Everything the plan depends on."""

    #: By number.
    serving: tuple[Deployment, ...]
    own_host: str


def plan(request: InspectRequest) -> Plan:
    """Every look is made, whatever the one before it has found; then all is kept at once."""
    looks = list(_looks(request))
    if not looks:
        return Plan(JobKind.INSPECT, ())
    return Plan(JobKind.INSPECT, (*looks, _kept(request)))


def _looks(request: InspectRequest) -> Iterator[Step]:
    for one in request.serving:
        at = one.at(request.own_host)
        yield from (replace(step, at=at) for step in extension_parts.looks(one))


def _kept(request: InspectRequest) -> Step:
    """The facts tell what was found; the note tells where each was looked for."""
    seen: list[JsonValue] = [
        {
            "app_server": str(one.id),
            "number": one.number,
            "name": each.name,
            "version": each.version,
        }
        for one in request.serving
        for each in one.extensions
        if one.recipe.extension and each.enabled
    ]
    title = "Record what was found of the extensions"
    return Step("record-extensions-seen", title, Note("extensions.seen", {"seen": seen}))
