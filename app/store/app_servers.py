"""Statements about app servers. Only their state, commit, address and error ever change."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.app_server import AppServerStatus, check_transition, parse_ref
from app.errors import NotFound
from app.models import AppServer, Instance
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


# Another statement that it is gone is none that works on it.
_OPEN_JOB = """
    SELECT id FROM jobs
    WHERE instance_id = $1 AND status IN ('queued', 'blocked', 'running', 'canceling')
      AND NOT dry_run AND NOT params ? 'gone'
      AND (params ->> 'app_server' = $2 OR params -> 'app_servers' ? $2)
    ORDER BY sequence LIMIT 1
"""

# Also an activation that failed before it noted anything may have switched the router.
_HAD_VISITORS = """
    SELECT EXISTS (SELECT FROM jobs WHERE instance_id = $1 AND kind = 'activate' AND NOT dry_run
                   AND started_at IS NOT NULL AND params -> 'app_servers' ? $2)
"""


_SET_EXTENSIONS = "UPDATE app_servers SET extensions = $2::jsonb WHERE id = $1"


def new(**values: Any) -> AppServer:
    """An app server that is in no table yet, with the defaults of what is not given."""
    return _INSERT.new(**values)


async def add(session: AsyncSession, app_server: AppServer, *, next_port: int) -> None:
    """Insert it and count on. Call with the rows of its instance and its host locked."""
    one, values = app_server, _INSERT.values(app_server)
    await driver(session).execute(_ADD, *values, one.instance_id, one.host_id, next_port)


async def insert(session: AsyncSession, app_server: AppServer) -> None:
    """Insert it with the number and port that it has; raises AlreadyExists for a port in use.

    Call with its instance locked.
    """
    taken = f"Port {app_server.port} of its host was taken meanwhile."
    await rows.add(session, app_server, taken=taken)


async def list_of_job(session: AsyncSession, job_id: UUID) -> list[AppServer]:
    """All that the job makes, freshly read, by number."""
    return await _list(session, col(AppServer.job_id) == job_id)


async def ports_on(session: AsyncSession, host_id: UUID, statuses: Sequence[str]) -> set[int]:
    """Ports of the host that app servers in these states own."""
    query = select(AppServer.port).where(
        col(AppServer.host_id) == host_id, col(AppServer.status).in_(statuses)
    )
    return set((await session.exec(query)).all())


async def find_of_job(session: AsyncSession, job_id: UUID) -> AppServer | None:
    query = select(AppServer).where(AppServer.job_id == job_id)
    return (await session.exec(query)).first()


async def of_jobs(session: AsyncSession, job_ids: set[UUID]) -> dict[UUID, AppServer]:
    if not job_ids:
        return {}
    query = select(AppServer).where(col(AppServer.job_id).in_(job_ids))
    return {row.job_id: row for row in (await session.exec(query)).all()}


async def find(session: AsyncSession, ref: str | UUID) -> AppServer | None:
    """By id, or by `INSTANCE:NUMBER`."""
    try:
        wanted = ref if isinstance(ref, UUID) else parse_ref(ref)
    except ValueError:
        return None
    if isinstance(wanted, UUID):
        return await session.get(AppServer, wanted)
    name, number = wanted
    of_instance = select(Instance.id).where(Instance.name == name).scalar_subquery()
    query = select(AppServer).where(
        col(AppServer.instance_id) == of_instance, col(AppServer.number) == number
    )
    return (await session.exec(query)).first()


async def get(session: AsyncSession, ref: str | UUID) -> AppServer:
    """The same; raises NotFound."""
    row = await find(session, ref)
    if row is None:
        raise NotFound(
            f"There is no app server {str(ref)!r}.",
            hint="Give its id or INSTANCE:NUMBER, guestbook:2; list them: liftlock app-servers list"
            " INSTANCE",
        )
    return row


async def list_by_ids(session: AsyncSession, ids: Sequence[UUID]) -> list[AppServer]:
    """Those that exist, freshly read, in that order."""
    found = {row.id: row for row in await _list(session, col(AppServer.id).in_(ids))}
    return [found[key] for key in ids if key in found]


async def list_active(session: AsyncSession, instance_id: UUID) -> list[AppServer]:
    """Those in service, freshly read, by number."""
    mine = and_(col(AppServer.instance_id) == instance_id, col(AppServer.is_active))
    return await _list(session, mine)


async def find_newest_running(session: AsyncSession, instance_id: UUID) -> AppServer | None:
    """The one with the highest number that runs and has its files."""
    runs = and_(
        col(AppServer.instance_id) == instance_id,
        col(AppServer.status) == AppServerStatus.RUNNING,
        col(AppServer.cleaned_at).is_(None),
    )
    found = await _list(session, runs)
    return found[-1] if found else None


async def find_open_job(session: AsyncSession, app_server: AppServer) -> UUID | None:
    """The first job that has not ended and puts it into service, takes it out or terminates it."""
    one = app_server
    found: UUID | None = await driver(session).fetchval(_OPEN_JOB, one.instance_id, str(one.id))
    return found


async def may_have_visitors(session: AsyncSession, app_server: AppServer) -> bool:
    """Whether a job ever told a router of it, as far as anybody knows."""
    one = app_server
    query = _HAD_VISITORS, one.instance_id, str(one.id)
    return one.activated_at is not None or bool(await driver(session).fetchval(*query))


async def list_of_deployment(session: AsyncSession, deployment_id: UUID) -> list[AppServer]:
    """All that one request made, freshly read, by number."""
    return await _list(session, col(AppServer.deployment_id) == deployment_id)


async def names(session: AsyncSession, ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    query = select(AppServer.id, AppServer.name).where(col(AppServer.id).in_(ids))
    return dict((await session.exec(query)).all())


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


async def set_address(session: AsyncSession, app_server: AppServer, address: str) -> None:
    """Where it will listen, once its host is known."""
    app_server.address = address
    await _touch(session, app_server)


async def set_extensions(
    session: AsyncSession, app_server_id: UUID, extensions: Sequence[Mapping[str, Any]]
) -> None:
    """What its release is to contain: until its job has begun, that may change."""
    text = json.dumps(list(extensions))
    await driver(session).execute(_SET_EXTENSIONS, app_server_id, text)


async def own_port(session: AsyncSession, app_server: AppServer) -> None:
    """The one whose port it took over has gone."""
    app_server.takes_over_id = None
    await _touch(session, app_server)


async def _list(session: AsyncSession, condition: ColumnElement[bool]) -> list[AppServer]:
    query = select(AppServer).where(condition).order_by(col(AppServer.number))
    query = query.execution_options(populate_existing=True)
    return list((await session.exec(query)).all())


async def _touch(session: AsyncSession, app_server: AppServer) -> None:
    app_server.version += 1
    app_server.updated_at = utc_now()
    session.add(app_server)
    await session.flush()
