"""What looks at extensions have found, compared with what is known of each on its hosts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import extension_sighting
from app.domain.event import EventType
from app.domain.extension_host import ExtensionHostStatus
from app.domain.extension_sighting import Sighting
from app.domain.job import LeasePolicy
from app.errors import LostOwnership
from app.models import AppServer, Extension, Instance, Job
from app.store.database import Database


@dataclass(frozen=True)
class Seen:
    """One extension in the release of one app server."""

    app_server: UUID
    name: str
    version: str
    #: None: nobody could look.
    found: Sighting | None


@dataclass(frozen=True)
class Change:
    """An extension on a host, that is not as it is known."""

    extension: Extension
    version: str
    instance: str
    host_id: UUID
    host: str
    app_server: AppServer
    found: Sighting
    #: Whether it was whole before, or is so now; else other files of it are missing.
    is_news: bool

    @property
    def event(self) -> store.events.NewEvent:
        data = {"name": self.extension.name, "version": self.version, "host": self.host}
        if self.found.is_whole:
            return EventType.EXTENSION_RECOVERED, data
        return EventType.EXTENSION_DEGRADED, {
            **data,
            "app_server": self.app_server.name,
            "stamp": self.found.has_stamp,
            "wrong": self.found.wrong,
            "files": list(self.found.files),
            "hint": self.hint,
        }

    @property
    def hint(self) -> str:
        # As that release has it: by now another version may be wanted.
        name = self.extension.name
        mine = next(one for one in self.app_server.extensions if one["name"] == name)
        return extension_sighting.repair(
            self.instance,
            self.version,
            source=mine["source"],
            settings=mine["settings"],
            requires=mine["requires"],
        )


async def note(db: Database, job: Job, seen: Sequence[Seen]) -> list[Change]:
    """Keep what the job has found; what is news, which its events tell. Raises LostOwnership.

    A look that finds what is known tells nothing, nor does the same note a second time.
    """
    if job.instance_id is None:
        raise LostOwnership
    async with db.transaction() as session:
        # The instance before the job, as a claim locks them.
        instance = await store.orders.lock_instance(session, job.instance_id)
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        found = await changes(session, instance, seen)
        for one in found:
            await _keep(session, one)
        news = [one for one in found if one.is_news]
        if news:
            told = [one.event for one in news]
            await store.events.append(session, job.id, *told, attempt=job.attempt)
    return news


async def changes(session: AsyncSession, instance: Instance, seen: Sequence[Seen]) -> list[Change]:
    """What is not as it is known. Only a look leads here from `installed` to `degraded`, and back.

    What a job has left `failed` stays so while all that serves is whole.
    """
    servers = await store.app_servers.list_by_ids(session, list({one.app_server for one in seen}))
    by_id = {row.id: row for row in servers}
    rows = {row.name: row for row in await store.extensions.list_of_instance(session, instance.id)}
    known = await store.extensions.hosts_of(session, {row.id for row in rows.values()})
    hosts = await store.hosts.names(session, {row.host_id for row in servers})
    made = []
    for (name, host_id), one in _by_host(seen, by_id).items():
        if name not in rows or one.found is None:
            continue
        on_host = {row.host_id: row for row in known[rows[name].id]}.get(host_id)
        was_degraded = on_host is not None and on_host.status is ExtensionHostStatus.DEGRADED
        if one.found.is_whole and not was_degraded:
            continue
        made.append(
            Change(
                extension=rows[name],
                version=one.version,
                instance=instance.name,
                host_id=host_id,
                host=hosts[host_id],
                app_server=by_id[one.app_server],
                found=one.found,
                is_news=one.found.is_whole is was_degraded,
            )
        )
    return made


def _by_host(seen: Iterable[Seen], servers: dict[UUID, AppServer]) -> dict[tuple[str, UUID], Seen]:
    """The worst of each on a host: incomplete, or not to be seen, or whole."""
    worst: dict[tuple[str, UUID], Seen] = {}
    for one in seen:
        if one.app_server not in servers:
            continue
        key = one.name, servers[one.app_server].host_id
        if key not in worst or _badness(one) > _badness(worst[key]):
            worst[key] = one
    return worst


def _badness(one: Seen) -> int:
    if one.found is None:
        return 1
    return 0 if one.found.is_whole else 2


async def _keep(session: AsyncSession, one: Change) -> None:
    status, error = ExtensionHostStatus.INSTALLED, None
    if not one.found.is_whole:
        status = ExtensionHostStatus.DEGRADED
        title, server = f"{one.extension.name} {one.version}", one.app_server.name
        error = extension_sighting.error(one.found, title=title, app_server=server, hint=one.hint)
    await store.extensions.keep_host(
        session,
        one.extension.id,
        one.host_id,
        stamp=one.version if one.found.has_stamp else None,
        status=status,
        error=error,
        app_server_id=one.app_server.id,
    )
