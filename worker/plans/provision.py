"""Provision: a new app server of an instance, beside whatever runs, from checkout to answer."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.job import JobKind
from app.domain.recipe_parts import Action, Participant, Via
from worker.plans import static_files
from worker.plans.deployment import Deployment, slug
from worker.plans.plan import Plan
from worker.steps import git, preflight, pypi, recipe_step, service
from worker.steps.machine import CreateMachine
from worker.steps.recipe_step import Surroundings
from worker.steps.service import Service
from worker.steps.step import Command, Note, OnCancel, OnUnknown, Step


@dataclass(frozen=True, kw_only=True)
class ProvisionRequest(Deployment):
    """The app server that is to be, and what its provision depends on besides."""

    repository: str
    #: Whether the recipe's `prepare` ran for this instance.
    prepared: bool = False
    participants_created: tuple[str, ...] = ()
    #: Whether another app server of the instance runs: then `current` is not touched.
    others_running: bool = False
    #: Makes the host, which is none before; None for a host that somebody registered.
    machine: CreateMachine | None = None


def plan(request: ProvisionRequest) -> Plan:
    """The whole provision, as steps."""
    running = request.service
    release = (
        _status("waiting"),
        *_machine(request),
        *_preflight(request),
        _status("configuring"),
        *_checkout(request),
    )
    return Plan(
        JobKind.PROVISION,
        (
            *release,
            *_build(request),
            *_create(request),
            *_start(request, running),
            _status("running"),
        ),
        on_failure=tuple(_when_it_failed(request, running)),
        diagnose_from=len(release) + 1,
        hint=request.hint,
    )


def _machine(request: ProvisionRequest) -> Iterator[Step]:
    if made := request.machine:
        yield Step("create-machine", f"Have {made.provider} make {request.host_name}", made)


def _preflight(request: ProvisionRequest) -> Iterator[Step]:
    site, wanted = request.site, request.recipe.preflight
    if request.wants_release and request.asset_place is None:
        yield static_files.not_configured()
    yield _look("reach", "Reach the host", preflight.reach(site))
    if not _supervisor_fits(request):
        refused = preflight.supervisor(request.recipe, request.supervisor.value)
        yield _look("supervisor", "Find the supervisor that the recipe wants", refused)
    yield _look("disk", "Check the free disk space", preflight.disk(site, wanted.disk_mb))
    own = ("python3",) if pypi.package_of(request.repository) else ("git",)
    tools = tuple(dict.fromkeys((*own, *wanted.tools)))
    yield _look("tools", f"Find {', '.join(tools)}", preflight.tools(tools))
    writable = preflight.writable(site, wanted.writable)
    yield _look("writable", "Write in the shared folder", writable)
    for awaited in wanted.wait_for:
        waiting = preflight.wait_for(awaited, request.surroundings)
        yield Step(slug("wait-for", awaited.name), f"Wait for: {awaited.name}", waiting)
    for command in wanted.commands:
        asked = preflight.recipe_command(command, request.surroundings)
        yield _look(slug("preflight", command.name), f"Preflight: {command.name}", asked)


def _look(name: str, title: str, command: Command) -> Step:
    """A look at the host: what it found may not be true any more when the job has waited."""
    return Step(name, title, command, again=True)


def _checkout(request: ProvisionRequest) -> Iterator[Step]:
    site, repository = request.site, request.repository
    record = Step("record-commit", "Record the exact revision", Note("app-server.commit"))
    if package := pypi.package_of(repository):
        title = f"Install {package} {request.revision}"
        yield Step("install", title, pypi.install(site, package))
        yield record
        return
    fetched = git.fetch(site, repository, request.secret_names)
    yield Step("fetch", f"Find {request.revision} in {repository}", fetched)
    yield record
    release = git.checkout(site, repository, request.secret_names)
    yield Step("checkout", f"Check out into {site.release}", release)


def _build(request: ProvisionRequest) -> Iterator[Step]:
    recipe, around = request.recipe, request.surroundings
    yield from _actions("build", recipe.build, around)
    if not request.prepared:
        yield from _data_actions("prepare", recipe.prepare, around)
        yield Step(
            "record-prepared", "Record that the instance is prepared", Note("instance.prepared")
        )
    if recipe.static:
        yield from static_files.collect(recipe.static, around)
        if place := request.released_to:
            yield from static_files.release(recipe.static, around, place, request.id)


def _create(request: ProvisionRequest) -> Iterator[Step]:
    for participant in request.recipe.participants_in_order():
        if participant.name in request.participants_created:
            yield from _fits(request, participant)
            continue
        around = request.surroundings
        yield from _data_actions(f"create {participant.name}", participant.created, around)
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


def _start(request: ProvisionRequest, running: Service) -> Iterator[Step]:
    site, recipe = request.site, request.recipe
    title = f"Check that port {request.port} is free"
    yield Step("port-free", title, service.port_free(request.port, request.address))
    run_directory = service.run_directory(site, recipe)
    yield Step("run-directory", "Write the start script", run_directory)
    if recipe.start.env_file:
        yield Step(
            "save-values",
            "Keep the site's values for its supervisor",
            service.save_env(request.surroundings),
            undo=service.forget_env(site),
        )
    yield Step("start", "Start the site", running.start, undo=running.stop)
    check = request.check
    yield Step("check", f"Ask for {check.path}", check)
    if not request.others_running:
        yield Step(
            "current",
            "Point `current` at the release",
            service.link_current(site),
            undo=service.unlink_current(site),
        )


def _when_it_failed(request: ProvisionRequest, running: Service) -> Iterator[Step]:
    """What helps to find the cause; the undo of `start` has stopped the process by then."""
    yield Step("site-log", "Show the end of the site's log", running.log)
    for diagnosis in request.recipe.diagnose:
        command = recipe_step.script(diagnosis.run, request.surroundings, timeout=120)
        yield Step(slug("diagnose", diagnosis.name), f"Diagnose: {diagnosis.name}", command)


def _actions(
    section: str,
    actions: tuple[Action, ...],
    around: Surroundings,
    *,
    unknown: OnUnknown = OnUnknown.REPEAT,
    on_cancel: OnCancel = OnCancel.INTERRUPT,
) -> Iterator[Step]:
    """A build may be stopped and repeated: it touches nothing but its own new release."""
    for item in actions:
        yield Step(
            slug(section, item.name),
            f"{section.capitalize()}: {item.name}",
            recipe_step.action(item, around),
            on_cancel=item.on_cancel or on_cancel,
            on_unknown=recipe_step.on_unknown(item, around, otherwise=unknown),
        )


def _data_actions(
    section: str, actions: tuple[Action, ...], around: Surroundings
) -> Iterator[Step]:
    """What changes data is worse half done than done, and nobody repeats it on a guess."""
    yield from _actions(section, actions, around, unknown=OnUnknown.ASK, on_cancel=OnCancel.FINISH)


def _status(status: str) -> Step:
    note = Note("app-server.status", {"status": status})
    return Step(f"record-{status}", f"Record that the app server is {status}", note)


def _supervisor_fits(request: ProvisionRequest) -> bool:
    return request.via is Via.COMMAND or request.via.value == request.supervisor.value
