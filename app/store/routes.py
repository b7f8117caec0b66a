"""Statements about what is wanted of an instance's router, what it was told, and who serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.store.database import driver

#: So much a new wish adds to `instances.route_version`. A job that has begun owns the two numbers
#: above the one that it found, for its switch and for the way back: no wish may have one of them.
WISH = 3

# Everybody who changes what serves comes by here: the instance before the job, as a claim locks
# them.
_LOCK = """
    SELECT router_id, route_version AS wanted, route_applied AS applied FROM instances
    WHERE id = $1 FOR NO KEY UPDATE
"""

_WANT = """
    UPDATE instances SET route_version = greatest(route_version, $2),
           route_behind_since = CASE WHEN route_applied < greatest(route_version, $2)
                                     THEN coalesce(route_behind_since, now()) END
    WHERE id = $1
"""

_APPLY = """
    UPDATE instances SET route_version = greatest(route_version, $2),
           route_applied = greatest(route_applied, $2),
           route_behind_since = CASE WHEN greatest(route_applied, $2) < route_version
                                     THEN route_behind_since END,
           route_drift = CASE WHEN route_drift ? 'repaired_at' THEN route_drift
                              ELSE route_drift || jsonb_build_object('repaired_at', now()) END
    WHERE id = $1
"""

_KEEP_ACTIVATED = """
    UPDATE instances SET activated_sequence = greatest(activated_sequence, $2) WHERE id = $1
"""

# `now()` is the same for all of a transaction: a set goes on and off at one moment. What does not
# run is never in service, whoever asks; and of what answers, nobody wonders whether it is gone.
_ACTIVATE = """
    UPDATE app_servers SET is_active = true, version = version + 1, updated_at = now(),
           activated_at = CASE WHEN $3 THEN now() ELSE coalesce(activated_at, now()) END,
           error = NULL
    WHERE id = ANY($2::uuid[]) AND instance_id = $1 AND NOT is_active AND status = 'running'
    RETURNING id, name, deployment_id
"""

_DEACTIVATE = """
    UPDATE app_servers SET is_active = false, deactivated_at = now(), version = version + 1,
           updated_at = now()
    WHERE id = ANY($2::uuid[]) AND instance_id = $1 AND is_active
    RETURNING id, name, deployment_id
"""


@dataclass(frozen=True)
class Wanted:
    """What is wanted of the instance's router, and how far that is done."""

    router_id: UUID | None
    #: Versions of its route: the newest wish, and what was read back last.
    wanted: int
    applied: int


async def lock(session: AsyncSession, instance_id: UUID) -> Wanted | None:
    """Locked against other writers until the transaction ends. None: no such instance."""
    found = await driver(session).fetchrow(_LOCK, instance_id)
    return None if found is None else Wanted(*found)


async def want(session: AsyncSession, instance_id: UUID, version: int) -> None:
    """Note that this version is wanted. Call with the instance locked."""
    await driver(session).execute(_WANT, instance_id, version)


async def apply(session: AsyncSession, instance_id: UUID, version: int) -> None:
    """Note that the router has this version. Call with the instance locked."""
    await driver(session).execute(_APPLY, instance_id, version)


async def keep_activated(session: AsyncSession, instance_id: UUID, sequence: int) -> None:
    """Note that this request is in service. Call with the instance locked."""
    await driver(session).execute(_KEEP_ACTIVATED, instance_id, sequence)


async def activate(
    session: AsyncSession,
    instance_id: UUID,
    app_server_ids: Sequence[UUID],
    *,
    anew: bool = True,
) -> list[Mapping[str, Any]]:
    """Put them into service; those for which that is news: id, name, deployment_id.

    Unless it is `anew`, they are in service since they last went there.
    """
    rows = await driver(session).fetch(_ACTIVATE, instance_id, list(app_server_ids), anew)
    return [dict(row) for row in rows]


async def deactivate(
    session: AsyncSession, instance_id: UUID, app_server_ids: Sequence[UUID]
) -> list[Mapping[str, Any]]:
    """Take them out of service; those for which that is news: id, name, deployment_id."""
    rows = await driver(session).fetch(_DEACTIVATE, instance_id, list(app_server_ids))
    return [dict(row) for row in rows]
