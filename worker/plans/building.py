"""A release on its host, from the first look to the answer: for all plans that make app servers."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.recipe_parts import Action, Via
from worker.plans import static_files
from worker.plans.deployment import Deployment, slug
from worker.steps import git, preflight, pypi, recipe_step, service
from worker.steps.recipe_step import Surroundings
from worker.steps.service import Service
from worker.steps.step import Command, Note, OnCancel, OnUnknown, Step


@dataclass(frozen=True, kw_only=True)
class Building(Deployment):
    """An app server that is to be made; one with a `commit` is made of exactly that."""

    repository: str


def looks(one: Building) -> Iterator[Step]:
    """What has to be there before anything is changed."""
    site, wanted = one.site, one.recipe.preflight
    if one.wants_release and one.asset_place is None:
        yield static_files.not_configured()
    yield _look("reach", "Reach the host", preflight.reach(site))
    if not _supervisor_fits(one):
        refused = preflight.supervisor(one.recipe, one.supervisor.value)
        yield _look("supervisor", "Find the supervisor that the recipe wants", refused)
    yield _look("disk", "Check the free disk space", preflight.disk(site, wanted.disk_mb))
    own = ("python3",) if pypi.package_of(one.repository) else ("git",)
    tools = tuple(dict.fromkeys((*own, *wanted.tools)))
    yield _look("tools", f"Find {', '.join(tools)}", preflight.tools(tools))
    writable = preflight.writable(site, wanted.writable)
    yield _look("writable", "Write in the shared folder", writable)
    for awaited in wanted.wait_for:
        waiting = preflight.wait_for(awaited, one.surroundings)
        yield Step(slug("wait-for", awaited.name), f"Wait for: {awaited.name}", waiting)
    for command in wanted.commands:
        asked = preflight.recipe_command(command, one.surroundings)
        yield _look(slug("preflight", command.name), f"Preflight: {command.name}", asked)


def checkout(one: Building, *record: Step) -> Iterator[Step]:
    """`record` comes once the exact revision is known."""
    site, repository, wanted = one.site, one.repository, one.commit or one.revision
    if package := pypi.package_of(repository):
        yield Step("install", f"Install {package} {wanted}", pypi.install(site, package, wanted))
        yield from record
        return
    fetched = git.fetch(site, repository, one.secret_names, wanted)
    yield Step("fetch", f"Find {wanted} in {repository}", fetched)
    yield from record
    release = git.checkout(site, repository, one.secret_names)
    yield Step("checkout", f"Check out into {site.release}", release)


def static(one: Building) -> Iterator[Step]:
    """Its static files, and their release if there is to be one."""
    recipe, around = one.recipe, one.surroundings
    if recipe.static:
        yield from static_files.collect(recipe.static, around)
        if place := one.released_to:
            yield from static_files.release(recipe.static, around, place, one.id)


def start(one: Building) -> Iterator[Step]:
    """Its process, on its own port, until it answers by itself."""
    site, recipe, running = one.site, one.recipe, one.service
    title = f"Check that port {one.port} is free"
    yield Step("port-free", title, service.port_free(one.port, one.address))
    yield Step("run-directory", "Write the start script", service.run_directory(site, recipe))
    if recipe.start.env_file:
        yield Step(
            "save-values",
            "Keep the site's values for its supervisor",
            service.save_env(one.surroundings),
            undo=service.forget_env(site),
        )
    yield Step("start", "Start the site", running.start, undo=running.stop)
    check = one.check
    yield Step("check", f"Ask for {check.path}", check)


def when_it_failed(one: Building, running: Service) -> Iterator[Step]:
    """What helps to find the cause; the undo of `start` has stopped the process by then."""
    yield Step("site-log", "Show the end of the site's log", running.log)
    for diagnosis in one.recipe.diagnose:
        command = recipe_step.script(diagnosis.run, one.surroundings, timeout=120)
        yield Step(slug("diagnose", diagnosis.name), f"Diagnose: {diagnosis.name}", command)


def actions(
    section: str,
    items: tuple[Action, ...],
    around: Surroundings,
    *,
    unknown: OnUnknown = OnUnknown.REPEAT,
    on_cancel: OnCancel = OnCancel.INTERRUPT,
) -> Iterator[Step]:
    """A build may be stopped and repeated: it touches nothing but its own new release."""
    for item in items:
        yield Step(
            slug(section, item.name),
            f"{section.capitalize()}: {item.name}",
            recipe_step.action(item, around),
            on_cancel=item.on_cancel or on_cancel,
            on_unknown=recipe_step.on_unknown(item, around, otherwise=unknown),
        )


def data_actions(section: str, items: tuple[Action, ...], around: Surroundings) -> Iterator[Step]:
    """What changes data is worse half done than done, and nobody repeats it on a guess."""
    yield from actions(section, items, around, unknown=OnUnknown.ASK, on_cancel=OnCancel.FINISH)


def status(status: str) -> Step:
    """The app server of the job, in Postgres."""
    note = Note("app-server.status", {"status": status})
    return Step(f"record-{status}", f"Record that the app server is {status}", note)


def _look(name: str, title: str, command: Command) -> Step:
    """A look at the host: what it found may not be true any more when the job has waited."""
    return Step(name, title, command, again=True)


def _supervisor_fits(one: Building) -> bool:
    return one.via is Via.COMMAND or one.via.value == one.supervisor.value
