"""Installing, removing, enabling and disabling extensions: asked for, looked at again, frozen.

What the releases that serve contain decides, and under the lock of the instance: an app server
that was put back into service has the extensions of its time.
"""

from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import extension
from app.domain.extension import CannotChange, Change, Extension, PackageSource
from app.domain.extension_spec import ExtensionSpec
from app.domain.job import JobKind
from app.domain.recipe import InvalidSettings, Recipe
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.gateways.vault import Vault
from app.models import AppServer, Instance, Job
from app.services import asking, making, present_extensions, readiness, targets
from app.services.asking import Prepared
from app.services.job_request import JobRequest, Terms
from app.services.reading import recipe_of

#: Seconds for which the site is watched after the switch.
_WATCH = 60


@dataclass(frozen=True)
class Ground:
    """What a change is decided on, read under the instance's lock."""

    instance: Instance
    #: Those that serve, by number; or, when none was ever put into service, those that run.
    serving: tuple[AppServer, ...]
    in_service: bool
    recipe: Recipe
    #: The extensions of their releases.
    have: tuple[Extension, ...]
    #: Names of those that somebody ever asked for, also without success.
    known: frozenset[str] = frozenset()


async def prepare(session: AsyncSession, _: Vault, request: JobRequest, terms: Terms) -> Prepared:
    """Raises Invalid for a package that nobody can install, and Conflict for what cannot be now."""
    instance = await asking.named_instance(session, request.instance, verb="change")
    ground = await _ground(session, instance)
    spec = request.extension
    if spec is None:
        raise asking.invalid("/extension", f"Name the extension to {request.kind}.")
    wheel = await _checked(session, request.kind, ground, spec)
    try:
        change_of(request.kind, ground, spec)
    except CannotChange as error:
        hint = error.hint(instance.name)
        if error.code == "not-found":
            raise asking.invalid("/extension/package", error.detail, hint) from error
        raise Conflict(error.detail, code=error.code, hint=hint) from error
    hosts = await targets.hosts_of(session, instance, ground.serving, routed=True)
    await readiness.check_router(session, instance, ground.serving)
    params = {
        "instance": instance.name,
        "extension_name": spec.name,
        "extension": spec.model_dump(mode="json", exclude_defaults=True),
        **({"wheel": wheel} if wheel else {}),
        "force": request.force,
        "drain": targets.DRAIN if request.drain is None else request.drain,
        "watch": _WATCH if request.watch is None else request.watch,
    }
    job = making.new_job(
        request.kind,
        terms,
        instance_id=instance.id,
        host_id=ground.serving[0].host_id,
        recipe_id=ground.serving[0].recipe_id,
        params=params,
    )
    return await targets.prepared(session, job, instance, hosts)


def change_of(
    kind: JobKind, ground: Ground, spec: ExtensionSpec, wheel: str | None = None
) -> Change:
    """What the job does to the extensions; raises CannotChange."""
    section = ground.recipe.extension
    always = section.always_enabled if section else ()
    match kind:
        case JobKind.INSTALL:
            return extension.install(ground.have, wanted(ground, spec, wheel))
        case JobKind.UNINSTALL:
            if spec.name in ground.known - {one.name for one in ground.have}:
                return Change(ground.have)  # nothing of it is there: it is forgotten
            return extension.uninstall(ground.have, spec.name, always=always)
        case JobKind.ENABLE:
            return extension.enable(ground.have, spec.name)
        case JobKind.DISABLE:
            return extension.disable(ground.have, spec.name, always=always)
    raise ValueError(f"{kind} changes no extensions.")


def wanted(ground: Ground, spec: ExtensionSpec, wheel: str | None) -> Extension:
    """The extension as the job is to install it; its settings were checked."""
    section = ground.recipe.extension
    settings = section.resolve_settings(spec.settings) if section else {}
    return Extension(
        name=spec.name,
        version=spec.version or "",
        source=PackageSource(
            package=spec.package,
            version=spec.version or "",
            url=spec.url,
            sha256=spec.sha256,
            wheel=wheel,
        ),
        enabled=True,
        settings=settings,
        requires=spec.required_names,
    )


async def ground_of(session: AsyncSession, job: Job) -> Ground:
    """As it is now. Call with the instance locked; raises NotFound and Conflict."""
    if job.instance_id is None:
        raise NotFound(f"Job {job.id} has no instance.")
    return await _ground(session, await store.orders.lock_instance(session, job.instance_id))


def spec_of(job: Job) -> ExtensionSpec:
    return ExtensionSpec.model_validate(job.params["extension"])


async def _ground(session: AsyncSession, instance: Instance) -> Ground:
    serving, in_service = await present_extensions.serving(session, instance)
    if not serving:
        raise Conflict(
            f"No app server of instance {instance.name} runs: there is nothing to change.",
            code="nothing-runs",
            hint=f"Provision one first: liftlock provision {instance.name}",
        )
    [first] = await store.works.list_standing(session, [serving[0].id])
    recipe = recipe_of(first.recipe)
    if recipe.extension is None:
        raise Conflict(
            f"Recipe {recipe.name} has no section `extension`: it knows no extensions.",
            code="no-extensions",
            hint="Add the section (docs/recipes.md), then provision with the new version.",
        )
    have = tuple(Extension.from_document(one) for one in serving[0].extensions)
    rows = await store.extensions.list_of_instance(session, instance.id)
    known = frozenset(row.name for row in rows)
    return Ground(instance, tuple(serving), in_service, recipe, have, known)


async def _checked(
    session: AsyncSession, kind: JobKind, ground: Ground, spec: ExtensionSpec
) -> str | None:
    """The file's name of an uploaded wheel; raises Invalid."""
    if kind is not JobKind.INSTALL:
        return None
    _check_settings(ground, spec)
    if spec.sha256 is None or spec.url is not None:
        return None
    found = await store.packages.hold(session, spec.sha256)
    if found is None:
        raise asking.invalid(
            "/extension/sha256",
            f"No wheel with this SHA-256 was uploaded: {spec.sha256}.",
            f"Upload it: liftlock extensions install {ground.instance.name} {spec.package}"
            f" {spec.version} --wheel FILE",
        )
    if (found.name, found.version) != (spec.name, spec.version):
        detail = f"The wheel is {found.name} {found.version}, not {spec.package} {spec.version}."
        raise asking.invalid("/extension/version", detail)
    return found.filename


def _check_settings(ground: Ground, spec: ExtensionSpec) -> None:
    section = ground.recipe.extension
    try:
        _ = section and section.resolve_settings(spec.settings)
    except InvalidSettings as error:
        fields = tuple(FieldError(f"/extension{e.pointer}", e.message) for e in error.errors)
        raise Invalid(
            f"The settings of {spec.package} do not fit recipe {ground.recipe.name}.",
            errors=fields,
            code="invalid-settings",
        ) from error
