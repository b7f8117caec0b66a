"""Provision: a new app server of an instance, beside whatever runs, from checkout to answer."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from app.domain.asset_release import AssetPlace
from app.domain.host import Supervisor
from app.domain.job import JobKind
from app.domain.recipe import Recipe, name_problem
from app.domain.recipe_parts import Action, Participant, Via
from worker.plans import static_files
from worker.plans.plan import Plan
from worker.steps import git, preflight, pypi, recipe_step, service, supervisord, systemd
from worker.steps.recipe_step import Surroundings
from worker.steps.service import Service
from worker.steps.site import Site
from worker.steps.step import Command, Note, OnCancel, OnUnknown, Step


@dataclass(frozen=True)
class ProvisionRequest:
    """Everything the plan depends on; `environment` comes from `Recipe.resolve_settings`."""

    app_server: UUID
    number: int
    instance: str
    repository: str
    revision: str
    domain: str
    recipe: Recipe
    environment: Mapping[str, str]
    port: int
    #: Names of the secrets that the instance has.
    secret_names: tuple[str, ...] = ()
    bind: str = "127.0.0.1"
    host_name: str = ""
    base_dir: str = "liftlock"
    sudo: bool = False
    supervisor: Supervisor = Supervisor.NONE
    supervisor_options: Mapping[str, object] = field(default_factory=dict)
    #: Whether the recipe's `prepare` ran for this instance.
    prepared: bool = False
    participants_created: tuple[str, ...] = ()
    #: Whether another app server of the instance runs: then `current` is not touched.
    others_running: bool = False
    #: Where this worker publishes; None: it has no place.
    asset_place: AssetPlace | None = None

    @property
    def site(self) -> Site:
        return Site(self.instance, self.number, self.revision)

    @property
    def released_to(self) -> AssetPlace | None:
        """The instance's part of the place; None when there is to be no asset release."""
        if self.asset_place is None or not self.wants_release:
            return None
        return self.asset_place.of(self.instance)

    @property
    def wants_release(self) -> bool:
        return static_files.is_released(self.recipe.static, self.environment)

    @property
    def surroundings(self) -> Surroundings:
        """What the recipe's scripts see; Liftlock's own names win over everything else."""
        facts = {
            "BIND": self.bind,
            "PORT": str(self.port),
            "INSTANCE": self.instance,
            "REVISION": self.revision,
            "DOMAIN": self.domain,
        }
        if place := self.released_to:
            facts["ASSETS_URL"] = place.base_url
        secrets = tuple(name for name in self.secret_names if name_problem(name) is None)
        # A secret stands in for the setting of its name, and is not shown as one.
        settings = {name: value for name, value in self.environment.items() if name not in secrets}
        return Surroundings(self.site, {**settings, **facts}, secrets)


def plan(request: ProvisionRequest) -> Plan:
    """The whole provision, as steps."""
    running = _service(request)
    release = (
        _status("waiting"),
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
        hint=_hint(request),
    )


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
        yield Step(_slug("wait-for", awaited.name), f"Wait for: {awaited.name}", waiting)
    for command in wanted.commands:
        asked = preflight.recipe_command(command, request.surroundings)
        yield _look(_slug("preflight", command.name), f"Preflight: {command.name}", asked)


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
            yield from static_files.release(recipe.static, around, place, request.app_server)


def _create(request: ProvisionRequest) -> Iterator[Step]:
    for participant in request.recipe.participants_in_order():
        if participant.name in request.participants_created:
            yield from _fits(request, participant)
            continue
        around = request.surroundings
        yield from _data_actions(f"create {participant.name}", participant.created, around)
        yield Step(
            _slug("record", participant.name),
            f"Record that {participant.name} is created",
            Note("participant.created", {"name": participant.name}),
        )


def _fits(request: ProvisionRequest, participant: Participant) -> Iterator[Step]:
    if participant.needs_upgrade:
        question = recipe_step.fits(
            participant.needs_upgrade, request.surroundings, participant.name
        )
        title = f"Check that the data of {participant.name} fits this revision"
        yield Step(_slug("fits", participant.name), title, question)


def _start(request: ProvisionRequest, running: Service) -> Iterator[Step]:
    site, recipe = request.site, request.recipe
    title = f"Check that port {request.port} is free"
    yield Step("port-free", title, service.port_free(request.port))
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
    path = recipe.check.path_for(request.environment)
    check = service.answers(site, recipe, port=request.port, path=path, alive=running.alive)
    yield Step("check", f"Ask for {path}", check)
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
        yield Step(_slug("diagnose", diagnosis.name), f"Diagnose: {diagnosis.name}", command)


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
            _slug(section, item.name),
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


def _service(request: ProvisionRequest) -> Service:
    recipe, site = request.recipe, request.site
    options, sudo = request.supervisor_options, request.sudo
    match _via(request):
        case Via.SUPERVISORD:
            return supervisord.service(site, recipe, options=options, sudo=sudo)
        case Via.SYSTEMD:
            return systemd.service(site, recipe, options=options, sudo=sudo)
    return service.plain(request.surroundings, recipe)


def _via(request: ProvisionRequest) -> Via:
    """`auto` takes the host's supervisor, unless the values may not be kept for it."""
    start = request.recipe.start
    if start.via is not Via.AUTO:
        return start.via
    if request.supervisor is Supervisor.NONE or not start.env_file:
        return Via.COMMAND
    return Via(request.supervisor.value)


def _supervisor_fits(request: ProvisionRequest) -> bool:
    return _via(request) is Via.COMMAND or _via(request).value == request.supervisor.value


def _slug(*words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def _hint(request: ProvisionRequest) -> str:
    base = request.base_dir if request.base_dir.startswith("/") else f"~/{request.base_dir}"
    host = request.host_name or "the host"
    site = request.site
    return (
        f"On {host}, the files are in {base}/{site.release_dir} and the site's log in "
        f"{base}/{site.run_dir}/log."
    )
