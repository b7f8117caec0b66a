"""Provision: a new app server of an instance, beside whatever runs, from checkout to answer."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.job import JobKind
from app.domain.recipe_parts import Participant
from worker.plans import building, extension_parts
from worker.plans.building import Building
from worker.plans.deployment import slug
from worker.plans.plan import Plan
from worker.steps import recipe_step, service
from worker.steps.machine import CreateMachine
from worker.steps.step import Note, Step


@dataclass(frozen=True, kw_only=True)
class ProvisionRequest(Building):
    """The app server that is to be, and what its provision depends on besides."""

    #: Whether the recipe's `prepare` ran for this instance.
    prepared: bool = False
    participants_created: tuple[str, ...] = ()
    #: Whether another app server of the instance runs: then `current` is not touched.
    others_running: bool = False
    #: Makes the host, which is none before; None for a host that somebody registered.
    machine: CreateMachine | None = None


def plan(request: ProvisionRequest) -> Plan:
    """The whole provision, as steps."""
    commit = Step("record-commit", "Record the exact revision", Note("app-server.commit"))
    release = (
        building.status("waiting"),
        *_machine(request),
        *building.looks(request),
        building.status("configuring"),
        *building.checkout(request, commit),
    )
    return Plan(
        JobKind.PROVISION,
        (
            *release,
            *_build(request),
            *_create(request),
            *building.start(request),
            *_current(request),
            *extension_parts.stamps(request),
            building.status("running"),
        ),
        on_failure=tuple(building.when_it_failed(request, request.service)),
        diagnose_from=len(release) + 1,
        hint=request.hint,
    )


def _machine(request: ProvisionRequest) -> Iterator[Step]:
    if made := request.machine:
        yield Step("create-machine", f"Have {made.provider} make {request.host_name}", made)


def _build(request: ProvisionRequest) -> Iterator[Step]:
    recipe, around = request.recipe, request.surroundings
    yield from extension_parts.listed(request)
    yield from building.actions("build", recipe.build, around)
    yield from extension_parts.installed(request)
    if not request.prepared:
        yield from building.data_actions("prepare", recipe.prepare, around)
        yield Step(
            "record-prepared", "Record that the instance is prepared", Note("instance.prepared")
        )
    yield from building.static(request)
    yield from extension_parts.media(request)


def _create(request: ProvisionRequest) -> Iterator[Step]:
    for participant in request.recipe.participants_in_order():
        if participant.name in request.participants_created:
            yield from _fits(request, participant)
            continue
        around = request.surroundings
        section = f"create {participant.name}"
        yield from building.data_actions(section, participant.created, around)
        yield Step(
            slug("record", participant.name),
            f"Record that {participant.name} is created",
            Note("participant.created", {"name": participant.name}),
        )


def _fits(request: ProvisionRequest, participant: Participant) -> Iterator[Step]:
    if participant.needs_upgrade:
        question = recipe_step.fits(
            participant.needs_upgrade, request.surroundings, participant.name
        )
        title = f"Check that the data of {participant.name} fits this revision"
        yield Step(slug("fits", participant.name), title, question)


def _current(request: ProvisionRequest) -> Iterator[Step]:
    if not request.others_running:
        yield Step(
            "current",
            "Point `current` at the release",
            service.link_current(request.site),
            undo=service.unlink_current(request.site),
        )
