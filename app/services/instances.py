"""Instances: described, changed, removed; their settings fit their recipe."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.instance_spec import InstanceSpec, split_recipe
from app.domain.recipe import InvalidSettings, Recipe
from app.errors import FieldError, InUse, Invalid, NotFound
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.models import Instance
from app.models import Recipe as RecipeRow
from app.services import routes, secrets, versions, waking
from app.services.instance_views import PLAIN, InstanceView, patched, views
from app.services.job_request import Terms
from app.services.versions import Expected
from app.store.database import Database


async def create(db: Database, vault: Vault, spec: InstanceSpec) -> InstanceView:
    """Describe a site and make its generated secrets; raises Invalid, AlreadyExists."""
    async with db.transaction() as session:
        row = await _recipe(session, spec.recipe)
        instance = Instance(
            name=spec.name,
            recipe_id=row.id,
            repository=spec.repository,
            revision=spec.revision,
        )
        await _apply(session, instance, spec, row)
        # Nothing of it is anywhere yet: no router has to forget it.
        await routes.want(session, instance, spec, Terms(actor=None))
        await store.instances.add(session, instance)
        await secrets.generate(session, vault, instance, Recipe.from_document(row.document))
        return (await views(session, [instance]))[0]


async def get(db: Database, ref: str) -> InstanceView:
    async with db.transaction() as session:
        return (await views(session, [await store.instances.get(session, ref)]))[0]


async def list_page(db: Database, *, after: UUID | None, limit: int) -> list[InstanceView]:
    async with db.transaction() as session:
        found = await store.instances.list_page(session, after=after, limit=limit)
        return await views(session, found)


async def change(
    db: Database,
    queue: JobQueue,
    vault: Vault,
    ref: str,
    patch: Mapping[str, Any],
    *,
    expected: Expected,
    terms: Terms,
) -> InstanceView:
    """Apply a JSON Merge Patch; running app servers keep what they have.

    A router that it leaves gets a job to forget it, with those terms. Raises Stale, Invalid, and
    what `routes.want` raises.
    """
    async with db.transaction() as session:
        instance = await store.instances.lock(session, ref)
        versions.require(instance, expected)
        spec = patched((await views(session, [instance]))[0], patch)
        if spec.name != instance.name:
            raise _invalid("/name", "an instance keeps its name: its folders on the hosts bear it")
        row = await _recipe(session, spec.recipe)
        await _apply(session, instance, spec, row)
        job = await routes.want(session, instance, spec, terms)
        if job is not None:
            waking.push(session, queue, job)
        await store.instances.touch(session, instance)
        await secrets.generate(session, vault, instance, Recipe.from_document(row.document))
        return (await views(session, [instance]))[0]


async def delete(db: Database, ref: str, *, expected: Expected) -> None:
    """Forget a site with its secrets; raises Stale, and InUse while anything of it lives."""
    async with db.transaction() as session:
        instance = await store.instances.lock(session, ref)
        versions.require(instance, expected)
        dependents = await store.instances.dependents(session, instance)
        if dependents:
            raise InUse(
                f"Instance {instance.name} still has {', '.join(dependents)}.",
                hint="Deactivate and terminate its app servers, and take its router away:"
                f" liftlock instances show {instance.name}. What is left on a router of before is"
                " removed by a job: liftlock routers list",
            )
        await store.instances.delete(session, instance)


async def _recipe(session: AsyncSession, text: str) -> RecipeRow:
    name, version = split_recipe(text)
    try:
        return await store.recipes.get(session, name, version)
    except NotFound as error:
        raise _invalid("/recipe", error.detail, hint=error.hint) from None


async def _apply(
    session: AsyncSession, instance: Instance, spec: InstanceSpec, row: RecipeRow
) -> None:
    """Write the description into the row, once its settings fit the recipe."""
    settings = {name: value for name, value in spec.settings.items() if value is not None}
    _check_settings(settings, row)
    instance.recipe_id, instance.settings = row.id, settings
    instance.repository, instance.revision = spec.repository, spec.revision
    instance.host_id = await _host_id(session, spec.host)
    for name in PLAIN:
        setattr(instance, name, getattr(spec, name))


async def _host_id(session: AsyncSession, name: str | None) -> UUID | None:
    if name is None:
        return None
    try:
        return (await store.hosts.hold(session, name)).id
    except NotFound as error:
        raise _invalid("/host", error.detail, hint="List them: liftlock hosts list") from None


def _check_settings(settings: Mapping[str, Any], row: RecipeRow) -> None:
    try:
        Recipe.from_document(row.document).resolve_settings(settings)
    except InvalidSettings as error:
        raise Invalid(
            f"The settings do not fit recipe {row.name}@{row.version}.",
            code="invalid-settings",
            errors=tuple(FieldError(e.pointer, e.message) for e in error.errors),
            hint=f"Read what it takes: liftlock recipes show {row.name}@{row.version}",
        ) from None


def _invalid(pointer: str, detail: str, *, hint: str | None = None) -> Invalid:
    return Invalid(errors=(FieldError(pointer, detail),), hint=hint)
