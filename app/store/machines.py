"""Statements about machines that providers make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.app_server import HOLDS_PORT
from app.domain.machine import MachineStatus
from app.models import AppServer, Host, Machine
from app.models.base import utc_now
from app.store import rows
from app.store.asked_ends import ASKED, IS_DUE
from app.store.database import driver

# Its job has ended before it was claimed, or before this step: nobody will ask for it.
_NEVER_ASKED = """
    UPDATE machines SET status = 'terminated', terminated_at = now(), updated_at = now(),
           version = version + 1
    WHERE status = 'pending' AND NOT EXISTS (
        SELECT FROM jobs WHERE jobs.host_id = machines.host_id AND jobs.finished_at IS NULL)
"""

_CLOSE_HOSTS = """
    UPDATE hosts SET status = 'gone', host_key = NULL, updated_at = now(),
           version = hosts.version + 1
    FROM machines
    WHERE machines.host_id = hosts.id AND machines.status IN ('terminated', 'failed')
      AND hosts.status <> 'gone'
"""

# Its provider was asked to remove it, by a termination or as its making was stopped, and nobody can
# tell whether it has; what became of later terminations tells no more of that, unless somebody
# needs it now. One that went into service since is wanted again. A machine that is gone has left
# behind what still counts as running there.
_IS_DUE = IS_DUE.format(
    last="greatest(machines.updated_at, asked.last)",
    first="coalesce(asked.first, maker.finished_at)",
)
_UNCONFIRMED = f"""
    SELECT app_server.id, app_server.instance_id
    FROM machines
    JOIN app_servers AS app_server ON app_server.host_id = machines.host_id
    JOIN jobs AS maker ON maker.id = app_server.job_id
    {ASKED}
    WHERE (machines.status NOT IN ('pending', 'failed', 'terminated')
           OR app_server.status = 'running')
      AND ($1::uuid IS NULL OR app_server.instance_id = $1)
      AND app_server.cleaned_at IS NULL AND NOT is_active
      AND coalesce(asked.code, '') NOT IN ('in-use', 'holds-data')
      AND (asked.is_unconfirmed AND (app_server.status IN ('failed', 'error')
                                     OR app_server.error ->> 'code' = 'unconfirmed-gone')
           OR machines.status = 'unknown' AND maker.ending IS NOT NULL
              AND app_server.status IN ('failed', 'error'))
      AND {_IS_DUE}
      AND NOT EXISTS (
          SELECT FROM jobs WHERE jobs.instance_id = app_server.instance_id AND NOT dry_run
             AND jobs.status IN ('queued', 'blocked', 'running', 'canceling'))
    ORDER BY app_server.instance_id, number LIMIT $2
"""  # noqa: S608 (only the text above)

# An app server that failed may have files there, but nobody is served by them. Nor by one that was
# to go and may still run: two of these would keep each other, and their machine, for ever.
_ON_IT = """
    SELECT 'app server ' || instances.name || ':' || number AS name, instance_id,
           NOT is_active AND app_servers.error ->> 'code' = 'unconfirmed-gone' AS is_unsure
    FROM app_servers JOIN instances ON instances.id = instance_id
    WHERE app_servers.host_id = $1 AND app_servers.id <> $2 AND app_servers.status = ANY($3::text[])
    UNION ALL SELECT 'router ' || name, NULL, NULL FROM routers WHERE host_id = $1
    UNION ALL SELECT 'host ' || name || ', which is reached through it', NULL, NULL FROM hosts
              WHERE jump_host_id = $1
    ORDER BY name
"""

# Whoever asked for the end of one with `with_data` has given its data up, unless that never began,
# and until it serves again; so has who stopped the job that was still making it.
_HOLDS_DATA = """
    SELECT EXISTS (
        SELECT FROM instances JOIN recipes ON recipes.id = instances.recipe_id
        WHERE instances.id = $1 AND prepared_host_id = $2
          AND recipes.document ->> 'data' IS DISTINCT FROM 'network'
    ) AND NOT EXISTS (
        SELECT FROM jobs WHERE instance_id = $1 AND NOT dry_run
           AND (jobs.id = $4 AND ending IS NOT NULL AND status <> 'succeeded'
                AND params ? 'provider'
                OR kind = 'terminate' AND params ->> 'app_server' = $3
                   AND (params ? 'with_data' OR params ? 'gone')
                   AND coalesce(started_at,
                                CASE WHEN finished_at IS NULL THEN clock_timestamp() END)
                       > coalesce($5::timestamptz, '-infinity'))
    )
"""

# What `prepare` and the participants did in the network is there still; else, with the data goes
# what was enabled in it.

_FORGET_DATA = """
    WITH forgotten AS (
    UPDATE instances SET prepared_at = NULL, prepared_host_id = NULL, participants_created = '[]',
           version = instances.version + 1, updated_at = now()
    FROM recipes
    WHERE instances.id = $1 AND prepared_host_id = $2 AND recipes.id = instances.recipe_id
      AND recipes.document ->> 'data' IS DISTINCT FROM 'network'
    RETURNING instances.id
    )
    DELETE FROM extensions USING forgotten WHERE instance_id = forgotten.id
"""


@dataclass(frozen=True)
class OnIt:
    """What is on a machine besides an app server, as words for a person."""

    #: App servers of the same instance, and of others.
    mates: list[str]
    strangers: list[str]
    #: Routers, and hosts that are reached through it.
    others: list[str]
    #: App servers of the same instance that were to go: nobody can tell whether they have.
    unsure: list[str]


async def add(session: AsyncSession, machine: Machine, host: Host | None = None) -> None:
    """Insert it, with the host that it is to become; raises AlreadyExists."""
    if host is not None:
        await rows.add(session, host, taken=f"There is already a host named {host.name!r}.")
    await rows.add(session, machine, taken=f"There is already a machine {machine.tag}.")


async def lock(session: AsyncSession, machine_id: UUID) -> Machine:
    return await rows.lock(session, Machine, machine_id, noun="machine")


async def list_page(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Machine]:
    return await rows.page(session, select(Machine), Machine, after=after, limit=limit)


async def list_of_provider(session: AsyncSession, provider: str) -> list[Machine]:
    """Also those that are gone."""
    query = select(Machine).where(col(Machine.provider) == provider)
    return list((await session.exec(query)).all())


async def find_tag(session: AsyncSession, tag: str) -> Machine | None:
    return (await session.exec(select(Machine).where(col(Machine.tag) == tag))).first()


async def close(session: AsyncSession) -> None:
    """Note that machines were never asked for, and which hosts have no machine any more."""
    await driver(session).execute(_NEVER_ASKED)
    await driver(session).execute(_CLOSE_HOSTS)


async def list_unconfirmed(
    session: AsyncSession, *, limit: int, instance_id: UUID | None = None
) -> dict[UUID, list[UUID]]:
    """App servers whose machine is to be asked for its end again, by instance, as they are due."""
    found: dict[UUID, list[UUID]] = {}
    for row in await driver(session).fetch(_UNCONFIRMED, instance_id, limit):
        found.setdefault(row["instance_id"], []).append(row["id"])
    return found


async def of_host(session: AsyncSession, host_id: UUID) -> Machine | None:
    """Locked and freshly read; None for a host that somebody registered."""
    query = select(Machine).where(col(Machine.host_id) == host_id).with_for_update()
    query = query.execution_options(populate_existing=True)
    return (await session.exec(query)).first()


async def list_on(session: AsyncSession, host_id: UUID, *, without: AppServer) -> OnIt:
    """What is on the machine besides this app server."""
    found = OnIt([], [], [], [])
    for row in await driver(session).fetch(_ON_IT, host_id, without.id, sorted(HOLDS_PORT)):
        instance_id, name = row["instance_id"], row["name"]
        if instance_id is None:
            found.others.append(name)
        elif instance_id != without.instance_id:
            found.strangers.append(name)
        else:
            (found.unsure if row["is_unsure"] else found.mates).append(name)
    return found


async def holds_data(session: AsyncSession, one: AppServer) -> bool:
    """Whether the site's only data is on the host of this one, and nobody has given it up."""
    ids = one.instance_id, one.host_id, str(one.id), one.job_id
    return bool(await driver(session).fetchval(_HOLDS_DATA, *ids, one.activated_at))


async def forget_data(session: AsyncSession, machine: Machine) -> None:
    """It is gone, and what was prepared there with it: its instance is as new. Call with the
    instance locked.
    """
    await driver(session).execute(_FORGET_DATA, machine.instance_id, machine.host_id)


async def oldest_tag(session: AsyncSession) -> str | None:
    query = select(Machine.tag).order_by(col(Machine.created_at), col(Machine.id)).limit(1)
    return (await session.exec(query)).first()


async def change(
    session: AsyncSession,
    machine: Machine,
    status: MachineStatus,
    *,
    error: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """Change its state and what is known of it, and count the change."""
    if status is not machine.status:
        now = utc_now()
        machine.ready_at = now if status is MachineStatus.READY else machine.ready_at
        # Kept for one that is there again: it was gone, as its provider said.
        is_gone = status is MachineStatus.TERMINATED
        machine.terminated_at = now if is_gone else machine.terminated_at
    machine.status, machine.error = status, dict(error) if error else None
    for name, value in values.items():
        setattr(machine, name, value)
    machine.version += 1
    machine.updated_at = utc_now()
    session.add(machine)
    await session.flush()


async def list_elsewhere(session: AsyncSession, provider: str) -> list[Machine]:
    """Machines of all other providers, also those that are gone."""
    query = select(Machine).where(col(Machine.provider) != provider)
    return list((await session.exec(query)).all())
