"""Statements about routers that are behind what is wanted of them, and routes left behind."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.router import Pause
from app.models.base import utc_now
from app.store.database import driver
from app.store.locks import MANUAL

# Of tries that failed one after the other, those count that were about what is wanted now: a new
# wish begins anew. One that was never claimed was about nothing yet, but is no reason for haste.
_TRIED = """
    SELECT count(*) FILTER (WHERE facts IS NOT NULL) AS failures, max(finished_at) AS last
    FROM jobs
    WHERE jobs.instance_id = {instance} AND kind = 'route' AND NOT dry_run
      AND status IN ('failed', 'canceled', 'superseded') AND {about}
"""
_TRIED_HERE = _TRIED.format(
    instance="instances.id",
    about="""NOT params ? 'forget'
      AND coalesce(facts ->> 'route_version', route_version::text) = route_version::text""",
)
_TRIED_THERE = _TRIED.format(
    instance="left_routes.instance_id",
    about="params ->> 'router' = router_id::text AND created_at >= left_at",
)
# The exponent is bounded, so that no number of failures is too many for an interval.
_NEXT = """(
    tried.last + least($1::interval * power(2, least(greatest(tried.failures, 1), 20) - 1),
                       $2::interval)
)"""
_DUE = f"coalesce({_NEXT} <= clock_timestamp(), true)"
# What is locked by hand is left out here already: it would keep the others from their turn.
_LOCKED = MANUAL.format(
    names="""ARRAY['manual:all', 'manual:instance:' || {instance}, 'manual:host:' || (
        SELECT host_id FROM routers WHERE routers.id = router_id)]"""
)
_LOCKED_HERE = _LOCKED.format(instance="instances.id")
_LOCKED_THERE = _LOCKED.format(instance="left_routes.instance_id")
_OPEN = "status IN ('queued', 'blocked', 'running', 'canceling') AND NOT dry_run"

# A job that has begun has the instance to itself; one that has not may tell the router by itself,
# if that is its kind and its time has come. One that failed a moment ago is not repeated at once:
# its router may be away for a while.
_DIRTY = f"""
    SELECT id FROM instances, LATERAL ({_TRIED_HERE}) AS tried
    WHERE router_id IS NOT NULL AND route_applied < route_version
      AND ($4::uuid IS NULL OR id = $4) AND ($5::uuid IS NULL OR router_id = $5) AND {_DUE}
      AND {_LOCKED_HERE} IS NULL
      AND NOT EXISTS (
          SELECT FROM jobs WHERE instance_id = instances.id AND {_OPEN}
             AND (started_at IS NOT NULL
                  OR (kind IN ('activate', 'deactivate', 'route')
                      AND coalesce(not_before, '-infinity') <= clock_timestamp())))
    ORDER BY id LIMIT $3
"""  # noqa: S608 (only the texts above)

_LEFT = f"""
    SELECT instance_id, router_id FROM left_routes, LATERAL ({_TRIED_THERE}) AS tried
    WHERE ($4::uuid IS NULL OR instance_id = $4) AND ($5::uuid IS NULL OR router_id = $5)
      AND {_DUE} AND {_LOCKED_THERE} IS NULL
      AND NOT EXISTS (
          SELECT FROM jobs WHERE jobs.instance_id = left_routes.instance_id AND {_OPEN}
             AND (started_at IS NOT NULL OR params ->> 'router' = router_id::text))
    ORDER BY left_at LIMIT $3
"""  # noqa: S608 (only the texts above)

_BEHIND = f"""
    SELECT id, route_behind_since AS since, tried.failures, {_NEXT} AS next_try_at
    FROM instances, LATERAL ({_TRIED_HERE}) AS tried
    WHERE id = ANY($3::uuid[]) AND router_id IS NOT NULL AND route_applied < route_version
"""  # noqa: S608 (only the texts above)

_LEAVE = """
    INSERT INTO left_routes (router_id, instance_id, left_at) VALUES ($1, $2, $3)
    ON CONFLICT (router_id, instance_id) DO UPDATE SET left_at = excluded.left_at
"""

_FORGET = "DELETE FROM left_routes WHERE router_id = $1 AND instance_id = $2"

_FORGETTING = f"""
    SELECT id FROM jobs WHERE params ->> 'router' = $1 AND started_at IS NULL AND {_OPEN}
    ORDER BY id
"""  # noqa: S608 (only the text above)

# Whatever has begun may have told the router something, also when nobody read that back.
_TOLD = """
    SELECT EXISTS (
        SELECT FROM jobs WHERE instance_id = $1 AND started_at IS NOT NULL AND NOT dry_run
           AND kind IN ('activate', 'deactivate', 'route'))
"""


@dataclass(frozen=True)
class Which:
    """Of all that are behind, those whose pause is over; of one instance or router, if named."""

    pause: Pause
    limit: int
    instance_id: UUID | None = None
    router_id: UUID | None = None

    @property
    def values(self) -> tuple[object, ...]:
        """As the statements take them."""
        pause = self.pause
        return pause.first, pause.longest, self.limit, self.instance_id, self.router_id


@dataclass(frozen=True)
class Behind:
    """How it stands with a router that is not as wanted."""

    #: None: since before this was recorded.
    since: datetime | None
    #: Jobs that failed, one after the other, to bring about what is wanted now.
    failures: int
    #: Not before then is it tried again; None: at once.
    next_try_at: datetime | None


async def list_dirty(session: AsyncSession, which: Which) -> list[UUID]:
    """Instances whose router is behind, and that no job and no lock by hand is about.

    After a job that failed they are left out for a while, as the pause says.
    """
    rows = await driver(session).fetch(_DIRTY, *which.values)
    return [row["id"] for row in rows]


async def list_left(session: AsyncSession, which: Which) -> list[tuple[UUID, UUID]]:
    """Instances and routers of before that have not forgotten them; else as `list_dirty`."""
    rows = await driver(session).fetch(_LEFT, *which.values)
    return [(row["instance_id"], row["router_id"]) for row in rows]


async def behind(
    session: AsyncSession, instance_ids: Collection[UUID], pause: Pause
) -> Mapping[UUID, Behind]:
    """Those of these instances whose router is not as wanted."""
    rows = await driver(session).fetch(_BEHIND, pause.first, pause.longest, list(instance_ids))
    return {row["id"]: Behind(row["since"], row["failures"], row["next_try_at"]) for row in rows}


async def was_told(session: AsyncSession, instance_id: UUID) -> bool:
    """Whether a router may know the instance."""
    return bool(await driver(session).fetchval(_TOLD, instance_id))


async def leave(session: AsyncSession, router_id: UUID, instance_id: UUID) -> None:
    """Note that the router has to forget the instance."""
    await driver(session).execute(_LEAVE, router_id, instance_id, utc_now())


async def list_forgetting(session: AsyncSession, router_id: UUID) -> list[UUID]:
    """Jobs that shall make it forget an instance, and that have not begun."""
    rows = await driver(session).fetch(_FORGETTING, str(router_id))
    return [row["id"] for row in rows]


async def forget(session: AsyncSession, router_id: UUID, instance_id: UUID) -> None:
    """Note that it has, or that it need not."""
    await driver(session).execute(_FORGET, router_id, instance_id)
