"""Statements about looks at routers: whose turn it is, what each should do, what was found."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.models import Instance
from app.store.database import driver
from app.store.plain import Columns
from app.store.routes import WISH

_INSTANCE = Columns(Instance, "instance")

_LOCKED = """EXISTS (
    SELECT FROM locks WHERE message IS NOT NULL
       AND name = ANY(ARRAY['manual:all', 'manual:host:' || routers.host_id]))
"""

# Who takes it sets the next time: a worker that dies meanwhile leaves it for then.
_TAKE = f"""
    UPDATE routers SET look_at = clock_timestamp() + $1::interval
    WHERE id = (
        SELECT id FROM routers
        WHERE coalesce(look_at <= clock_timestamp(), true)
          AND NOT {_LOCKED}
          AND EXISTS (SELECT FROM instances WHERE router_id = routers.id AND route_applied > 0)
        ORDER BY look_at NULLS FIRST, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
"""  # noqa: S608 (only the text above)

# What a job is about is told by that job, and one that is behind is told by the next. What is
# planned for later is not waited for.
_QUIET = """
    router_id = $1 AND route_applied > 0 AND route_applied = route_version
    AND NOT EXISTS (
        SELECT FROM jobs WHERE jobs.instance_id = instance.id AND NOT dry_run
           AND jobs.status IN ('queued', 'blocked', 'running', 'canceling')
           AND (started_at IS NOT NULL OR (kind IN ('activate', 'deactivate', 'route')
                    AND coalesce(not_before, '-infinity') <= clock_timestamp())))
    AND NOT EXISTS (
        SELECT FROM locks WHERE name = 'manual:instance:' || instance.id AND message IS NOT NULL)
"""

_PROSPECT = f"""
    SELECT {_LOCKED} AS locked, EXISTS (SELECT FROM instances AS instance WHERE {_QUIET}) AS quiet
    FROM routers WHERE id = $1
"""  # noqa: S608 (only the texts above)

# A look that takes too long ends at another one each time.
_WANTED = f"""
    SELECT {_INSTANCE.sql},
           ARRAY(SELECT address || ':' || port FROM app_servers
                 WHERE app_servers.instance_id = instance.id AND is_active ORDER BY number)
               AS upstreams
    FROM instances AS instance WHERE {_QUIET} ORDER BY random()
"""  # noqa: S608 (columns of the model, and the text above)

# A wish like any other: a job fulfills it. What changed since the look was begun is left alone.
_DRIFT = f"""
    UPDATE instances AS instance
    SET route_version = route_version + {WISH}, route_behind_since = now(),
        route_drift = jsonb_build_object('at', now(), 'found', $4::text)
    WHERE id = $2 AND route_version = $3 AND {_QUIET}
    RETURNING true
"""  # noqa: S608 (a number, and the text above)

_NOTE = "UPDATE routers SET looked_at = clock_timestamp(), look_error = $2 WHERE id = $1"

_HASTEN = "UPDATE routers SET look_at = NULL WHERE id = $1"

_STANDING = """
    SELECT routers.id,
           (SELECT jsonb_agg(route_drift || jsonb_build_object('instance', name) ORDER BY name)
            FROM instances WHERE router_id = routers.id AND route_drift IS NOT NULL) AS drifts,
           ARRAY(SELECT name FROM instances
                 WHERE router_id = routers.id AND route_applied < route_version ORDER BY name)
               AS behind,
           ARRAY(SELECT name FROM left_routes JOIN instances ON instances.id = instance_id
                 WHERE left_routes.router_id = routers.id ORDER BY name) AS forgetting
    FROM routers WHERE id = ANY($1::uuid[])
"""


@dataclass(frozen=True)
class Wanted:
    """What a router should do for an instance, if nobody changed it since it was read back."""

    instance: Instance
    #: `address:port` of the app servers in service.
    upstreams: tuple[str, ...]


@dataclass(frozen=True)
class RouterStanding:
    """How a router stands with the instances that have it, or had it."""

    #: The last drift of each instance: `instance`, `at`, `found`, and `repaired_at` if it is.
    drifts: tuple[Mapping[str, Any], ...]
    #: Names of instances for which it is not as wanted.
    behind: tuple[str, ...]
    #: Names of instances that have another now, and that it still has to forget.
    forgetting: tuple[str, ...]


async def take(session: AsyncSession, every: timedelta) -> UUID | None:
    """The router whose turn it is, for nobody else within that time; None: it is nobody's."""
    found: UUID | None = await driver(session).fetchval(_TAKE, every)
    return found


async def prospect(session: AsyncSession, router_id: UUID) -> tuple[bool, bool]:
    """Whether it is locked by hand, with its host; and whether there is anything to look at."""
    row = await driver(session).fetchrow(_PROSPECT, router_id)
    return row["locked"], row["quiet"]


async def list_wanted(session: AsyncSession, router_id: UUID) -> list[Wanted]:
    """What it should do for each instance that no job and no lock by hand is about."""
    rows = await driver(session).fetch(_WANTED, router_id)
    return [Wanted(_INSTANCE.build(row), tuple(row["upstreams"])) for row in rows]


async def drifted(
    session: AsyncSession, router_id: UUID, instance_id: UUID, *, version: int, found: str
) -> bool:
    """Note that the router was not as it should be at that version; whether that is still news."""
    values = (router_id, instance_id, version, found)
    return bool(await driver(session).fetchval(_DRIFT, *values))


async def note(session: AsyncSession, router_id: UUID, error: str | None) -> None:
    """Note that it was looked at, or why that did not go."""
    await driver(session).execute(_NOTE, router_id, error)


async def hasten(session: AsyncSession, router_id: UUID) -> None:
    """Let it be looked at next."""
    await driver(session).execute(_HASTEN, router_id)


async def standing_of(
    session: AsyncSession, router_ids: Collection[UUID]
) -> Mapping[UUID, RouterStanding]:
    found = await driver(session).fetch(_STANDING, list(router_ids))
    return {
        row["id"]: RouterStanding(
            drifts=tuple(row["drifts"] or ()),
            behind=tuple(row["behind"]),
            forgetting=tuple(row["forgetting"]),
        )
        for row in found
    }
