"""The extensions that a new release of an instance is to contain."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.extension import (
    Extension,
    ExtensionStatus,
    PackageSource,
    in_order_of_enabling,
)
from app.models import AppServer, Instance, Job
from app.models import Extension as ExtensionRow
from app.services import readiness

#: Of an instance of which nothing runs: those that its last release had.
_KNOWN = frozenset({ExtensionStatus.ENABLED, ExtensionStatus.DISABLED})


async def serving(session: AsyncSession, instance: Instance) -> tuple[list[AppServer], bool]:
    """Those in service, and true; or, when none ever was, those that run, and false. By number."""
    if active := await store.app_servers.list_active(session, instance.id):
        return active, True
    newest = await store.app_servers.find_newest_running(session, instance.id)
    if newest is None or newest.deployment_id is None:
        return [newest] if newest else [], False
    found = await store.app_servers.list_of_deployment(session, newest.deployment_id)
    return [row for row in found if readiness.can_serve(row)], False


def of_servers(found: Sequence[AppServer]) -> dict[str, Extension]:
    """By name, as those that serve have them; nothing when nothing serves."""
    documents = found[0].extensions if found else []
    return {one.name: one for one in map(Extension.from_document, documents)}


async def know_again(session: AsyncSession, job: Job, ids: Sequence[UUID]) -> None:
    """An older release may have what was uninstalled since; once it serves, it is known again."""
    for server in await store.app_servers.list_by_ids(session, ids):
        for one in map(Extension.from_document, server.extensions):
            if await store.extensions.find(session, server.instance_id, one.name) is None:
                await keep(session, job, server.instance_id, one, status_of(one))


async def keep(
    session: AsyncSession, job: Job, instance_id: UUID, one: Extension, status: ExtensionStatus
) -> ExtensionRow:
    """What the job knows of it, in the place of what was known."""
    return await store.extensions.put(
        session,
        instance_id,
        name=one.name,
        source=one.source.document(),
        version=one.version,
        settings=one.settings,
        requires=one.requires,
        status=status,
        job_id=job.id,
    )


def status_of(one: Extension) -> ExtensionStatus:
    return ExtensionStatus.ENABLED if one.enabled else ExtensionStatus.DISABLED


async def of_instance(session: AsyncSession, instance: Instance) -> list[dict[str, Any]]:
    """Documents of extensions, in the order of enabling: as what serves has them."""
    found, _ = await serving(session, instance)
    if found:
        return list(found[0].extensions)
    rows = await store.extensions.list_of_instance(session, instance.id)
    known = in_order_of_enabling(_of(row) for row in rows if row.status in _KNOWN)
    return [one.document() for one in known]


def _of(row: ExtensionRow) -> Extension:
    return Extension(
        name=row.name,
        version=row.version,
        source=PackageSource(**row.source),
        enabled=row.status is ExtensionStatus.ENABLED,
        settings=row.settings,
        requires=tuple(row.requires),
    )
