"""Statements about recipes."""

from uuid import UUID

from sqlalchemy import func, text, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.errors import NotFound
from app.models import Recipe
from app.store import rows


async def lock_name(session: AsyncSession, name: str) -> None:
    """Keep others from pushing a recipe of that name until the transaction ends."""
    connection = await session.connection()
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('liftlock.recipe.' || :name))"), {"name": name}
    )


async def add_version(session: AsyncSession, recipe: Recipe) -> Recipe:
    """Insert as the next version of its name; `recipe.version` is set here."""
    await lock_name(session, recipe.name)
    newest = select(func.coalesce(func.max(Recipe.version), 0)).where(
        col(Recipe.name) == recipe.name
    )
    recipe.version = (await session.exec(newest)).one() + 1
    return await rows.add(session, recipe, taken=f"Recipe {recipe.name} was pushed twice at once.")


async def find_digest(session: AsyncSession, name: str, digest: str) -> Recipe | None:
    query = select(Recipe).where(Recipe.name == name, Recipe.digest == digest)
    return (await session.exec(query.order_by(col(Recipe.version).desc()))).first()


async def find_newest(session: AsyncSession, name: str) -> Recipe | None:
    query = select(Recipe).where(Recipe.name == name)
    return (await session.exec(query.order_by(col(Recipe.version).desc()))).first()


async def get(session: AsyncSession, name: str, version: int | None = None) -> Recipe:
    """That version, or the newest; raises NotFound."""
    query = select(Recipe).where(Recipe.name == name)
    if version is not None:
        query = query.where(Recipe.version == version)
    recipe = (await session.exec(query.order_by(col(Recipe.version).desc()))).first()
    if recipe is None:
        wanted = name if version is None else f"{name}@{version}"
        raise NotFound(
            f"There is no recipe {wanted!r}.", hint="List them with: liftlock recipes list"
        )
    return recipe


async def labels(session: AsyncSession, ids: set[UUID]) -> dict[UUID, str]:
    """`name@version` by id."""
    if not ids:
        return {}
    query = select(Recipe.id, Recipe.name, Recipe.version).where(col(Recipe.id).in_(ids))
    return {key: f"{name}@{version}" for key, name, version in (await session.exec(query)).all()}


async def list_newest(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Recipe]:
    """One row a name: its newest version."""
    newest = select(Recipe.name, func.max(Recipe.version)).group_by(col(Recipe.name))
    query = select(Recipe).where(tuple_(col(Recipe.name), col(Recipe.version)).in_(newest))
    return await rows.page(session, query, Recipe, after=after, limit=limit)


async def list_versions(
    session: AsyncSession, name: str, *, after: UUID | None, limit: int
) -> list[Recipe]:
    query = select(Recipe).where(Recipe.name == name)
    return await rows.page(session, query, Recipe, after=after, limit=limit, newest_first=True)
