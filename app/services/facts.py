"""What a job found before it began, frozen by its first attempt, so that all make the same plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.deployment import ROUTING
from app.domain.extension import Change, Extension
from app.domain.job import EXTENDING, JobKind
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
    """What a job that tells a router something found; frozen by the first attempt.

    An inspection has the same: those that serve, or that run when none was ever put into service.
    """

    #: The app servers that were in service, by number.
    before: tuple[UUID, ...]
    #: Of what the router is told; to take it back, the number behind it.
    route_version: int


@dataclass(frozen=True)
class Place:
    """An app server that is to take the place of another one."""

    id: UUID
    number: int
    port: int
    old: UUID


@dataclass(frozen=True)
class ExtendFacts(RouteFacts):
    """What a job that changes extensions found; `before` are those that serve, or that run."""

    in_service: bool
    places: tuple[Place, ...]
    #: The extensions of the releases that serve.
    have: tuple[Extension, ...]
    change: Change
    #: What was asked for, as it is to be.
    subject: Extension
    #: Whether the stamps of the releases that serve may say that all is done.
    by_stamp: bool

    def document(self) -> dict[str, Any]:
        return {
            "before": [str(one) for one in self.before],
            "route_version": self.route_version,
            "in_service": self.in_service,
            "places": [
                {"id": str(one.id), "number": one.number, "port": one.port, "old": str(one.old)}
                for one in self.places
            ],
            "have": [one.document() for one in self.have],
            "change": self.change.document(),
            "subject": self.subject.document(),
            "by_stamp": self.by_stamp,
        }

    @classmethod
    def from_document(cls, found: Mapping[str, Any]) -> "ExtendFacts":
        return cls(
            before=tuple(UUID(one) for one in found["before"]),
            route_version=found["route_version"],
            in_service=found["in_service"],
            places=tuple(
                Place(UUID(one["id"]), one["number"], one["port"], UUID(one["old"]))
                for one in found["places"]
            ),
            have=tuple(Extension.from_document(one) for one in found["have"]),
            change=Change.from_document(found["change"]),
            subject=Extension.from_document(found["subject"]),
            by_stamp=found["by_stamp"],
        )


#: Kinds that freeze which app servers serve, and no more.
_WITH_BEFORE = ROUTING | {JobKind.INSPECT}

Facts = ProvisionFacts | RouteFacts | ExtendFacts


def frozen(job: Job) -> Facts | None:
    """None before the first claim, and for kinds that freeze nothing."""
    facts = job.facts
    if job.kind in EXTENDING and facts is not None:
        return ExtendFacts.from_document(facts)
    if job.kind in _WITH_BEFORE and facts is not None:
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
    if job.kind in EXTENDING:
        return None  # it takes more than this to know
    if job.kind in _WITH_BEFORE:
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
    return wanted if kind in {JobKind.ROUTE, JobKind.INSPECT} else wanted + 1
