"""What a job found before it began, frozen by its first attempt, so that all make the same plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.deployment import ROUTING
from app.domain.job import JobKind
from app.models import Instance, Job


@dataclass(frozen=True)
class ProvisionFacts:
    """What a provision found before it began; frozen by the first attempt."""

    prepared: bool
    participants_created: tuple[str, ...]
    #: The instance has another app server that runs, so its data is in use.
    others_running: bool


@dataclass(frozen=True)
class RouteFacts:
    """What a job that tells a router something found; frozen by the first attempt."""

    #: The app servers that were in service, by number.
    before: tuple[UUID, ...]
    #: Of what the router is told; to take it back, the number behind it.
    route_version: int


Facts = ProvisionFacts | RouteFacts


def frozen(job: Job) -> Facts | None:
    """None before the first claim, and for kinds that freeze nothing."""
    facts = job.facts
    if job.kind in ROUTING and facts is not None:
        before = tuple(UUID(one) for one in facts["before"])
        return RouteFacts(before, route_version=facts["route_version"])
    if job.kind is JobKind.PROVISION and facts is not None:
        participants = tuple(facts["participants_created"])
        return ProvisionFacts(**{**facts, "participants_created": participants})
    return None


def preview(
    job: Job, instance: Instance, *, active: Sequence[UUID], others_running: bool
) -> Facts | None:
    """As the first claim would freeze them now."""
    if job.kind in ROUTING:
        version = _version(job.kind, instance.route_version)
        return RouteFacts(tuple(active), route_version=version)
    if job.kind is not JobKind.PROVISION:
        return None
    return ProvisionFacts(
        prepared=instance.prepared_at is not None,
        participants_created=tuple(instance.participants_created),
        others_running=others_running,
    )


def of_route(kind: JobKind, *, active: Sequence[UUID], wanted: int) -> Mapping[str, Any]:
    """What the first claim freezes; `wanted` is the version of the instance's route."""
    return {"before": [str(one) for one in active], "route_version": _version(kind, wanted)}


def _version(kind: JobKind, wanted: int) -> int:
    """Of what the job tells the router: something new, or what was wanted already."""
    return wanted if kind is JobKind.ROUTE else wanted + 1
