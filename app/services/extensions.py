"""What is added to instances, as people read it; jobs alone change it."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import extension as domain
from app.domain.extension import normalized
from app.domain.extension_host import ExtensionHostStatus
from app.errors import NotFound
from app.models import Extension, ExtensionHost, Instance
from app.services import present_extensions
from app.store.database import Database

_DEGRADED = ExtensionHostStatus.DEGRADED


@dataclass(frozen=True)
class HostOfExtension:
    """What is known of it on one host, with the names behind the ids."""

    row: ExtensionHost
    host: str
    #: None: it is not known, or gone.
    app_server: str | None


@dataclass(frozen=True)
class ExtensionView:
    extension: Extension
    hosts: tuple[HostOfExtension, ...]
    #: As what serves has it, which may be an older release; None: it has none of it.
    serving: domain.Extension | None


async def list_page(
    db: Database, instance: str, *, after: str | None, limit: int
) -> list[ExtensionView]:
    """By name, behind the name `after`; raises NotFound for an unknown instance."""
    async with db.transaction() as session:
        owner = await store.instances.get(session, instance)
        found = await store.extensions.list_page(session, owner.id, after=after, limit=limit)
        return await _views(session, owner, found)


async def get(db: Database, instance: str, name: str) -> ExtensionView:
    """By its name in any spelling; raises NotFound."""
    async with db.transaction() as session:
        found = await store.instances.get(session, instance)
        row = await store.extensions.find(session, found.id, normalized(name))
        if row is not None:
            return (await _views(session, found, [row]))[0]
        others = await store.extensions.list_of_instance(session, found.id)
    near = get_close_matches(normalized(name), [row.name for row in others], n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise NotFound(
        f"Instance {found.name} has no extension {name!r}.",
        hint=f"{hint}List them: liftlock extensions list {found.name}",
    )


async def _views(
    session: AsyncSession, instance: Instance, found: Sequence[Extension]
) -> list[ExtensionView]:
    servers_now, _ = await present_extensions.serving(session, instance)
    serving, now = present_extensions.of_servers(servers_now), {row.id for row in servers_now}
    on = await store.extensions.hosts_of(session, {row.id for row in found})
    # What was missing from a release that serves no more is no news of this one.
    on = {
        key: [row for row in rows if row.status is not _DEGRADED or row.app_server_id in now]
        for key, rows in on.items()
    }
    known = [one for rows in on.values() for one in rows]
    hosts = await store.hosts.names(session, {one.host_id for one in known})
    servers = await store.app_servers.names(
        session, {one.app_server_id for one in known if one.app_server_id}
    )
    return [
        ExtensionView(
            row, tuple(_on_host(one, hosts, servers) for one in on[row.id]), serving.get(row.name)
        )
        for row in found
    ]


def _on_host(
    row: ExtensionHost, hosts: dict[UUID, str], servers: dict[UUID, str]
) -> HostOfExtension:
    server = servers.get(row.app_server_id) if row.app_server_id else None
    return HostOfExtension(row, hosts[row.host_id], server)
