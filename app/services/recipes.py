"""Recipes: pushed as documents, kept as versions that never change."""

import asyncio
import json
from collections.abc import Iterable
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import recipe as recipes
from app.domain.recipe import InvalidRecipe, Recipe
from app.errors import FieldError, Invalid
from app.models import Recipe as Row
from app.store.database import Database


async def push(db: Database, source: str) -> tuple[Row, bool]:
    """Store a YAML document as the newest version of its name; False when it is that already.

    Raises Invalid with the line and key of every error. Reading a large document takes a second,
    so another thread does it: others are answered meanwhile.
    """
    try:
        recipe = await asyncio.to_thread(recipes.parse, source)
    except InvalidRecipe as error:
        raise _invalid(error) from None
    return await _push(db, recipe, source)


async def push_document(db: Database, document: object) -> tuple[Row, bool]:
    """The same for plain JSON data, without lines."""
    try:
        recipe = await asyncio.to_thread(Recipe.from_document, document)
    except InvalidRecipe as error:
        raise _invalid(error, below="/document") from None
    return await _push(db, recipe, json.dumps(document, indent=2, ensure_ascii=False))


async def load_shipped(db: Database, sources: Iterable[str]) -> list[Row]:
    """Push each whose content no version has yet; the new rows."""
    new = []
    for source in sources:
        recipe = await asyncio.to_thread(recipes.parse, source)
        async with db.transaction() as session:
            await store.recipes.lock_name(session, recipe.name)
            if not await store.recipes.find_digest(session, recipe.name, recipe.digest):
                new.append(await _add(session, recipe, source))
    return new


async def get(db: Database, name: str, version: int | None = None) -> Row:
    async with db.transaction() as session:
        return await store.recipes.get(session, name, version)


async def list_page(db: Database, *, after: UUID | None, limit: int) -> list[Row]:
    """The newest version of each name."""
    async with db.transaction() as session:
        return await store.recipes.list_newest(session, after=after, limit=limit)


async def list_versions(db: Database, name: str, *, after: UUID | None, limit: int) -> list[Row]:
    """Newest first; raises NotFound for an unknown name."""
    async with db.transaction() as session:
        await store.recipes.get(session, name)
        return await store.recipes.list_versions(session, name, after=after, limit=limit)


async def _push(db: Database, recipe: Recipe, source: str) -> tuple[Row, bool]:
    async with db.transaction() as session:
        await store.recipes.lock_name(session, recipe.name)
        newest = await store.recipes.find_newest(session, recipe.name)
        if newest is not None and newest.digest == recipe.digest:
            return newest, False
        return await _add(session, recipe, source), True


async def _add(session: AsyncSession, recipe: Recipe, source: str) -> Row:
    row = Row(
        name=recipe.name,
        version=0,
        digest=recipe.digest,
        document=recipe.document(),
        source=source,
    )
    return await store.recipes.add_version(session, row)


def _invalid(error: InvalidRecipe, *, below: str = "") -> Invalid:
    return Invalid(
        "The recipe is not valid; nothing was stored.",
        code="invalid-recipe",
        errors=tuple(FieldError(below + e.pointer, e.message, line=e.line) for e in error.errors),
    )
