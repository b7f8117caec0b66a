"""What callers read of app servers; they are made, moved and removed by jobs alone."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.models import AppServer
from app.store.database import Database


@dataclass(frozen=True)
class AppServerView:
    """An app server with the names behind its ids."""

    app_server: AppServer
    instance: str
    host: str | None
    recipe: str | None
    #: What its asset release is called, if it has one.
    asset_release: str | None


async def get(db: Database, ref: str) -> AppServerView:
    """By id or INSTANCE:NUMBER; raises NotFound."""
    async with db.transaction() as session:
        return (await _views(session, [await store.app_servers.get(session, ref)]))[0]


async def list_of_instance(
    db: Database, instance: str, *, after: UUID | None, limit: int
) -> list[AppServerView]:
    """Newest first; raises NotFound for an unknown instance."""
    async with db.transaction() as session:
        instance_id = (await store.instances.get(session, instance)).id
        found = await store.app_servers.list_of_instance(
            session, instance_id, after=after, limit=limit
        )
        return await _views(session, found)


async def _views(session: AsyncSession, found: list[AppServer]) -> list[AppServerView]:
    instances = await store.instances.names(session, {row.instance_id for row in found})
    hosts = await store.hosts.names(session, {row.host_id for row in found})
    recipes = await store.recipes.labels(session, {row.recipe_id for row in found})
    assets = await store.asset_releases.names(session, {row.id for row in found})
    return [
        AppServerView(
            row,
            instances[row.instance_id],
            hosts.get(row.host_id),
            recipes.get(row.recipe_id),
            assets.get(row.id),
        )
        for row in found
    ]
