"""Statements about hosts."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.app_server import HOLDS_PORT
from app.domain.host import HostStatus
from app.domain.job import FINAL
from app.domain.machine import NO_MACHINE
from app.domain.quarantine import End
from app.errors import InUse
from app.models import AppServer, Host, Instance, Job, Machine, Router
from app.models.base import utc_now
from app.store import rows
from app.store.database import driver

# The newest end on a host tells how the host is: a worker may stand still between the end of its
# job and this note, for as long as it likes.
_NOTE_STATUS = """
    UPDATE hosts SET status = $3, version = hosts.version + 1, updated_at = clock_timestamp()
    FROM jobs AS job
    WHERE job.id = $1 AND job.attempt = $2 AND job.finished_at IS NOT NULL
      AND hosts.id = job.host_id
      AND hosts.status IN ('ready', 'unreachable') AND hosts.status <> $3
      AND NOT EXISTS (
          SELECT FROM jobs AS later
          WHERE later.host_id = job.host_id AND later.finished_at > job.finished_at
            AND NOT later.dry_run)
"""


_ENDS = """
    SELECT error ->> 'code' AS code, recipes.name AS recipe
    FROM jobs LEFT JOIN recipes ON recipes.id = jobs.recipe_id
    WHERE host_id = $1 AND kind = 'provision' AND NOT dry_run AND started_at IS NOT NULL
      AND status IN ('succeeded', 'failed') AND ($2::timestamptz IS NULL OR finished_at > $2)
    ORDER BY finished_at DESC LIMIT $3
"""

_QUARANTINE = """
    UPDATE hosts SET status = 'quarantined', version = version + 1, updated_at = clock_timestamp(),
           status_reason = $2::jsonb || jsonb_build_object('at', clock_timestamp())
    WHERE id = $1
"""

# By the clock of the ends that it is compared with.
_FORGET_ENDS = "UPDATE hosts SET status_set_at = clock_timestamp() WHERE id = $1"


async def add(session: AsyncSession, host: Host) -> Host:
    return await rows.add(session, host, taken=f"There is already a host named {host.name!r}.")


async def get(session: AsyncSession, ref: str | UUID) -> Host:
    return await rows.get(session, Host, ref, noun="host")


async def lock(session: AsyncSession, ref: str | UUID) -> Host:
    return await rows.lock(session, Host, ref, noun="host")


async def hold(session: AsyncSession, ref: str | UUID) -> Host:
    """For a row that is about to point at it."""
    return await rows.hold(session, Host, ref, noun="host")


async def is_taken(session: AsyncSession, name: str) -> bool:
    return await rows.find(session, Host, name) is not None


async def list_page(
    session: AsyncSession, *, after: UUID | None, limit: int, pool: str | None = None
) -> list[Host]:
    query = select(Host) if pool is None else select(Host).where(Host.pool == pool)
    return await rows.page(session, query, Host, after=after, limit=limit)


async def names(session: AsyncSession, ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    query = select(Host.id, Host.name).where(col(Host.id).in_(ids))
    return dict((await session.exec(query)).all())


async def touch(session: AsyncSession, host: Host) -> Host:
    """Count the change; the API's ETag follows. Raises AlreadyExists for a name that is taken."""
    host.version += 1
    host.updated_at = utc_now()
    return await add(session, host)


async def delete(session: AsyncSession, host: Host) -> None:
    """Remove it; its finished jobs stay as history. Raises InUse when something came meanwhile."""
    message = f"Host {host.name} is needed since a moment ago: something was placed on it."
    connection = await session.connection()
    await connection.execute(update(Job).where(col(Job.host_id) == host.id).values(host_id=None))
    await session.delete(host)
    try:
        await session.flush()
    except IntegrityError as error:
        raise InUse(message, hint="See what it is: liftlock instances list") from error


async def dependents(session: AsyncSession, host_id: UUID) -> list[str]:
    """What still needs the host, as words for a person."""
    counts = {
        "instance(s) placed on it": select(func.count()).where(
            or_(col(Instance.host_id) == host_id, col(Instance.prepared_host_id) == host_id)
        ),
        "living app server(s)": select(func.count()).where(
            col(AppServer.host_id) == host_id, col(AppServer.status).in_(HOLDS_PORT)
        ),
        "ended app server(s)": select(func.count()).where(
            col(AppServer.host_id) == host_id, col(AppServer.status).not_in(HOLDS_PORT)
        ),
        "machine(s) that may be there": select(func.count()).where(
            col(Machine.host_id) == host_id, col(Machine.status).not_in(NO_MACHINE)
        ),
        "router(s) on it": select(func.count()).where(col(Router.host_id) == host_id),
        "host(s) that jump through it": select(func.count()).where(
            col(Host.jump_host_id) == host_id
        ),
        "unfinished job(s)": select(func.count()).where(
            col(Job.host_id) == host_id, col(Job.status).not_in(FINAL)
        ),
    }
    found = [(noun, (await session.exec(query)).one()) for noun, query in counts.items()]
    return [f"{count} {noun}" for noun, count in found if count]


async def instances_with_history(session: AsyncSession, host_id: UUID) -> list[str]:
    """Names of instances that have app servers there, living or ended; deleting them ends that."""
    query = (
        select(Instance.name)
        .where(
            col(Instance.id).in_(select(AppServer.instance_id).where(AppServer.host_id == host_id))
        )
        .order_by(col(Instance.name))
    )
    return list((await session.exec(query)).all())


async def note_status(
    session: AsyncSession, job_id: UUID, *, attempt: int, found: HostStatus
) -> None:
    """Keep whether the job could reach its host, as the attempt that ended the job found it.

    Nothing is written when a person closed the host, or another job there has ended since.
    """
    await driver(session).execute(_NOTE_STATUS, job_id, attempt, found)


async def list_ends(session: AsyncSession, host: Host, *, limit: int) -> list[End]:
    """How provisions that had begun there ended since somebody set its status, newest first."""
    found = await driver(session).fetch(_ENDS, host.id, host.status_set_at, limit)
    return [End(row["code"], row["recipe"]) for row in found]


async def quarantine(session: AsyncSession, host: Host, reason: Mapping[str, Any]) -> None:
    """Take it out of use, for that reason; its moment is added. Call with its row locked."""
    await driver(session).execute(_QUARANTINE, host.id, json.dumps(dict(reason)))
    # The statement has changed the table.
    host.status = HostStatus.QUARANTINED


async def forget_ends(session: AsyncSession, host: Host) -> None:
    """From now on what provisions met there counts anew. Call with its row locked."""
    await driver(session).execute(_FORGET_ENDS, host.id)
