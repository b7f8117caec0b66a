"""Statements about app servers. Only their state, commit and error ever change."""

from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.app_server import AppServerStatus, check_transition
from app.errors import NotFound
from app.models import AppServer
from app.models.base import utc_now
from app.store import rows
from app.store.database import driver
from app.store.plain import Insert

_INSERT = Insert(AppServer)

# Its number and port are the next ones of its instance and its host.
_ADD = f"""
    WITH instance AS (
        UPDATE instances SET next_number = next_number + 1 WHERE id = ${_INSERT.size + 1}
    ), host AS (
        UPDATE hosts SET next_port = ${_INSERT.size + 3} WHERE id = ${_INSERT.size + 2}
    )
    {_INSERT.sql}
"""  # noqa: S608 (columns of the model, nothing from outside)


def new(**values: Any) -> AppServer:
    """An app server that is in no table yet, with the defaults of what is not given."""
    return _INSERT.new(**values)


async def add(session: AsyncSession, app_server: AppServer, *, next_port: int) -> None:
    """Insert it and count on. Call with the rows of its instance and its host locked."""
    one, values = app_server, _INSERT.values(app_server)
    await driver(session).execute(_ADD, *values, one.instance_id, one.host_id, next_port)


async def find_of_job(session: AsyncSession, job_id: UUID) -> AppServer | None:
    query = select(AppServer).where(AppServer.job_id == job_id)
    return (await session.exec(query)).first()


async def of_jobs(session: AsyncSession, job_ids: set[UUID]) -> dict[UUID, AppServer]:
    if not job_ids:
        return {}
    query = select(AppServer).where(col(AppServer.job_id).in_(job_ids))
    return {row.job_id: row for row in (await session.exec(query)).all()}


async def get(session: AsyncSession, app_server_id: UUID) -> AppServer:
    row = await session.get(AppServer, app_server_id)
    if row is None:
        raise NotFound(f"There is no app server {app_server_id}.")
    return row


async def list_of_instance(
    session: AsyncSession, instance_id: UUID, *, after: UUID | None, limit: int
) -> list[AppServer]:
    query = select(AppServer).where(AppServer.instance_id == instance_id)
    return await rows.page(session, query, AppServer, after=after, limit=limit, newest_first=True)


async def move(
    session: AsyncSession,
    app_server: AppServer,
    wanted: AppServerStatus,
    *,
    error: dict[str, Any] | None = None,
) -> None:
    """Change its state; raises WrongState for a move that its life does not allow."""
    await session.refresh(app_server, with_for_update={"key_share": True})
    check_transition(app_server.status, wanted)
    app_server.status = wanted
    app_server.error = error
    await _touch(session, app_server)


async def set_commit(session: AsyncSession, app_server: AppServer, commit: str) -> None:
    app_server.commit = commit
    await _touch(session, app_server)


async def _touch(session: AsyncSession, app_server: AppServer) -> None:
    app_server.version += 1
    app_server.updated_at = utc_now()
    session.add(app_server)
    await session.flush()
