"""Statements about the extensions of instances, and about each on each host."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.extension import ExtensionStatus
from app.domain.extension_host import ExtensionHostStatus
from app.models import Extension, ExtensionHost
from app.models.base import utc_now


async def list_of_instance(session: AsyncSession, instance_id: UUID) -> list[Extension]:
    """All, freshly read, by name."""
    return await _list(session, instance_id, after=None, limit=None)


async def list_page(
    session: AsyncSession, instance_id: UUID, *, after: str | None, limit: int
) -> list[Extension]:
    """By name, freshly read; `after` is a name."""
    return await _list(session, instance_id, after=after, limit=limit)


async def find(session: AsyncSession, instance_id: UUID, name: str) -> Extension | None:
    """Freshly read; `name` is a normalized one."""
    query = select(Extension).where(Extension.instance_id == instance_id, Extension.name == name)
    return (await session.exec(query.execution_options(populate_existing=True))).first()


async def put(
    session: AsyncSession,
    instance_id: UUID,
    *,
    name: str,
    source: Mapping[str, Any],
    version: str,
    settings: Mapping[str, Any],
    requires: Sequence[str],
    status: ExtensionStatus,
    job_id: UUID,
) -> Extension:
    """Insert it, or put this in the place of what is known of it; its errors are forgotten.

    Call with the row of its instance locked, or that of its job.
    """
    row = await find(session, instance_id, name) or Extension(
        instance_id=instance_id, name=name, version=version, status=status, last_job_id=job_id
    )
    row.source, row.version, row.settings = dict(source), version, dict(settings)
    row.requires, row.status, row.last_job_id = list(requires), status, job_id
    row.load_error = row.error = None
    return await _write(session, row)


async def set_status(
    session: AsyncSession,
    extension_id: UUID,
    *,
    status: ExtensionStatus,
    load_error: str | None = None,
    error: Mapping[str, Any] | None = None,
    job_id: UUID,
) -> Extension | None:
    """Keep how it is since that job, and why; None when it is gone."""
    row = await session.get(Extension, extension_id, populate_existing=True)
    if row is None:
        return None
    row.status, row.last_job_id = status, job_id
    row.load_error, row.error = load_error, dict(error) if error is not None else None
    return await _write(session, row)


async def keep_host(
    session: AsyncSession,
    extension_id: UUID,
    host_id: UUID,
    *,
    stamp: str | None,
    status: ExtensionHostStatus,
    error: Mapping[str, Any] | None = None,
    app_server_id: UUID | None = None,
) -> None:
    """Keep what was found of it on a host, in the place of what is known."""
    values = {
        "stamp": stamp,
        "status": status,
        "error": dict(error) if error is not None else None,
        "app_server_id": app_server_id,
        "at": utc_now(),
    }
    statement = insert(ExtensionHost).values(extension_id=extension_id, host_id=host_id, **values)
    connection = await session.connection()
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["extension_id", "host_id"], set_=values)
    )


async def hosts_of(
    session: AsyncSession, extension_ids: Collection[UUID]
) -> dict[UUID, list[ExtensionHost]]:
    """What is known of each on its hosts, in the order in which these were made."""
    found: dict[UUID, list[ExtensionHost]] = {key: [] for key in extension_ids}
    if found:
        query = select(ExtensionHost).where(col(ExtensionHost.extension_id).in_(extension_ids))
        query = query.order_by(col(ExtensionHost.host_id))
        query = query.execution_options(populate_existing=True)
        for row in (await session.exec(query)).all():
            found[row.extension_id].append(row)
    return found


async def remove(session: AsyncSession, extension_id: UUID) -> None:
    """Forget it, with what is known of it on its hosts; nothing is done when it is gone."""
    row = await session.get(Extension, extension_id)
    if row is not None:
        await session.delete(row)
        await session.flush()


async def _list(
    session: AsyncSession, instance_id: UUID, *, after: str | None, limit: int | None
) -> list[Extension]:
    query = select(Extension).where(Extension.instance_id == instance_id)
    if after is not None:
        query = query.where(col(Extension.name) > after)
    query = query.order_by(col(Extension.name)).limit(limit)
    query = query.execution_options(populate_existing=True)
    return list((await session.exec(query)).all())


async def _write(session: AsyncSession, row: Extension) -> Extension:
    row.updated_at = utc_now()
    session.add(row)
    await session.flush()
    return row
