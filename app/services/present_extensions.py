"""The extensions that a new release of an instance is to contain."""

from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.extension import (
    Extension,
    ExtensionStatus,
    PackageSource,
    in_order_of_enabling,
)
from app.models import AppServer, Instance
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


async def of_serving(session: AsyncSession, instance: Instance) -> dict[str, Extension]:
    """By name; nothing when nothing serves."""
    found, _ = await serving(session, instance)
    documents = found[0].extensions if found else []
    return {one.name: one for one in map(Extension.from_document, documents)}


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
