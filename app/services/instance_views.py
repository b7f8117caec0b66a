"""Instances as callers see them, and their descriptions with a change in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.instance_spec import InstanceSpec, TlsSpec
from app.domain.router import Pause
from app.models import Instance
from app.services import specs
from app.store.dirty_routes import Behind
from app.store.standing import StandingView

#: Fields that the description and the row have alike.
PLAIN = ("pool", "provider", "labels", "target_count", "retention_days")


@dataclass(frozen=True)
class InstanceView:
    """An instance with the names behind its ids, and how it stands."""

    instance: Instance
    #: `name@version`.
    recipe: str
    host: str | None
    router: str | None
    standing: StandingView
    #: How far its router is behind; None: it is not.
    behind: Behind | None


async def views(session: AsyncSession, instances: list[Instance]) -> list[InstanceView]:
    recipes = await store.recipes.labels(session, {row.recipe_id for row in instances})
    hosts = await store.hosts.names(session, {row.host_id for row in instances if row.host_id})
    routers = {row.router_id for row in instances if row.router_id}
    named = await store.routers.names(session, routers)
    standing = await store.standing.standing_of(session, {row.id for row in instances})
    late = {row.id for row in instances if row.route_applied < row.route_version}
    behind = await store.dirty_routes.behind(session, late, Pause()) if late else {}
    return [
        InstanceView(
            instance=row,
            recipe=recipes[row.recipe_id],
            host=hosts.get(row.host_id) if row.host_id else None,
            router=named.get(row.router_id) if row.router_id else None,
            standing=standing[row.id],
            behind=behind.get(row.id),
        )
        for row in instances
    ]


def patched(view: InstanceView, patch: Mapping[str, Any]) -> InstanceSpec:
    """The description with the patch applied; raises Invalid."""
    instance = view.instance
    same = ("name", "repository", "revision", "settings", "domain", *PLAIN)
    spec = InstanceSpec.model_construct(
        **{name: getattr(instance, name) for name in same},
        recipe=view.recipe,
        host=view.host,
        router=view.router,
        tls=TlsSpec.model_validate(instance.tls),
    )
    found = specs.patched(spec, patch)
    if "retention_days" in patch and patch["retention_days"] is None:
        # Taken away: they are kept for ever, not for as long as those of a new instance.
        found = found.model_copy(update={"retention_days": None})
    return found
