"""Instances: described, changed, removed; their settings fit their recipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.instance_spec import InstanceSpec, split_recipe
from app.domain.recipe import InvalidSettings, Recipe
from app.errors import FieldError, InUse, Invalid, NotFound
from app.gateways.vault import Vault
from app.models import AppServer, Instance
from app.models import Recipe as RecipeRow
from app.services import secrets, specs, versions
from app.services.versions import Expected
from app.store.database import Database


@dataclass(frozen=True)
class InstanceView:
    """An instance with the names behind its ids."""

    instance: Instance
    #: `name@version`.
    recipe: str
    host: str | None


@dataclass(frozen=True)
class AppServerView:
    app_server: AppServer
    host: str | None
    recipe: str | None
    #: What its asset release is called, if it has one.
    asset_release: str | None


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
        await store.instances.add(session, instance)
        await secrets.generate(session, vault, instance, Recipe.from_document(row.document))
        return (await _views(session, [instance]))[0]


async def get(db: Database, ref: str) -> InstanceView:
    async with db.transaction() as session:
        return (await _views(session, [await store.instances.get(session, ref)]))[0]


async def list_page(db: Database, *, after: UUID | None, limit: int) -> list[InstanceView]:
    async with db.transaction() as session:
        found = await store.instances.list_page(session, after=after, limit=limit)
        return await _views(session, found)


async def change(
    db: Database, vault: Vault, ref: str, patch: Mapping[str, Any], *, expected: Expected
) -> InstanceView:
    """Apply a JSON Merge Patch; raises Stale and Invalid. Running app servers keep theirs."""
    async with db.transaction() as session:
        instance = await store.instances.lock(session, ref)
        versions.require(instance, expected)
        spec = specs.patched(_spec((await _views(session, [instance]))[0]), patch)
        if spec.name != instance.name:
            raise _invalid("/name", "an instance keeps its name: its folders on the hosts bear it")
        row = await _recipe(session, spec.recipe)
        await _apply(session, instance, spec, row)
        await store.instances.touch(session, instance)
        await secrets.generate(session, vault, instance, Recipe.from_document(row.document))
        return (await _views(session, [instance]))[0]


async def delete(db: Database, ref: str, *, expected: Expected) -> None:
    """Forget a site with its secrets; raises Stale, and InUse while anything of it lives."""
    async with db.transaction() as session:
        instance = await store.instances.lock(session, ref)
        versions.require(instance, expected)
        dependents = await store.instances.dependents(session, instance.id)
        if dependents:
            raise InUse(f"Instance {instance.name} still has {', '.join(dependents)}.")
        await store.instances.delete(session, instance)


async def app_servers(
    db: Database, ref: str, *, after: UUID | None, limit: int
) -> list[AppServerView]:
    """Newest first."""
    async with db.transaction() as session:
        instance = await store.instances.get(session, ref)
        found = await store.app_servers.list_of_instance(
            session, instance.id, after=after, limit=limit
        )
        hosts = await store.hosts.names(session, {row.host_id for row in found})
        recipes = await store.recipes.labels(session, {row.recipe_id for row in found})
        assets = await store.asset_releases.names(session, {row.id for row in found})
    return [
        AppServerView(row, hosts.get(row.host_id), recipes.get(row.recipe_id), assets.get(row.id))
        for row in found
    ]


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
    instance.domain = spec.domain
    instance.host_id = await _host_id(session, spec.host)


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


def _spec(view: InstanceView) -> InstanceSpec:
    instance = view.instance
    return InstanceSpec.model_construct(
        name=instance.name,
        recipe=view.recipe,
        repository=instance.repository,
        revision=instance.revision,
        settings=instance.settings,
        domain=instance.domain,
        host=view.host,
    )


async def _views(session: AsyncSession, instances: list[Instance]) -> list[InstanceView]:
    recipes = await store.recipes.labels(session, {row.recipe_id for row in instances})
    hosts = await store.hosts.names(session, {row.host_id for row in instances if row.host_id})
    return [
        InstanceView(
            instance=row,
            recipe=recipes[row.recipe_id],
            host=hosts.get(row.host_id) if row.host_id else None,
        )
        for row in instances
    ]


def _invalid(pointer: str, detail: str, *, hint: str | None = None) -> Invalid:
    return Invalid(errors=(FieldError(pointer, detail),), hint=hint)
