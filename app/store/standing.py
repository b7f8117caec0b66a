"""Statements about how an instance stands: its state, what serves, what nobody needs any more."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.app_server import AppServerStatus
from app.domain.deployment import InstanceState, state_of
from app.models import AppServer
from app.store.asked_ends import ASKED, IS_DUE
from app.store.database import driver
from app.store.locks import MANUAL
from app.store.plain import Columns

_APP_SERVER = Columns(AppServer, "app_server")

# The ids of jobs are in order of time, so the greatest is the newest request. One of which nothing
# is left tells nothing, as long as there is another.
_REQUESTS = """
    WITH mine AS (
        SELECT instance_id, coalesce(deployment_id, job_id) AS request,
               CASE WHEN cleaned_at IS NULL THEN status ELSE 'terminated' END AS status
        FROM app_servers WHERE instance_id = ANY($1::uuid[])
    ), requests AS (
        SELECT instance_id, request, array_agg(status) AS statuses,
               bool_and(status = 'terminated') AS gone
        FROM mine GROUP BY instance_id, request
    )
    SELECT DISTINCT ON (requests.instance_id) requests.instance_id, statuses,
           coalesce((jobs.params ->> 'of')::int, 1) AS wanted,
           EXISTS (SELECT FROM requests AS other WHERE other.instance_id = requests.instance_id
                   AND other.request < requests.request) AS earlier
    FROM requests LEFT JOIN jobs ON jobs.id = request
    ORDER BY requests.instance_id, gone, request DESC
"""

_SHOWN = f"""
    SELECT {_APP_SERVER.sql} FROM app_servers AS app_server
    WHERE instance_id = ANY($1::uuid[])
      AND (is_active OR number = (SELECT max(number) FROM app_servers AS other
                                  WHERE other.instance_id = app_server.instance_id))
    ORDER BY instance_id, number
"""  # noqa: S608 (columns of the model, nothing from outside)

# Kept are: what serves, the newest that runs, and the set that served before (it went out of
# service at one moment): the last to do so, and the one whose place was taken by what serves now,
# which differ when a newer set was taken back. While something is being done with the instance,
# nothing is taken; nor what runs while its router is behind, and may still pass requests on to it.
_OUT_LAST = """
    SELECT max(deactivated_at) FROM app_servers AS other
    WHERE other.instance_id = instances.id AND NOT is_active AND status = 'running'
"""

# What is locked by hand would keep the others from their turn.
_LOCKED = MANUAL.format(
    names="""ARRAY['manual:all', 'manual:instance:' || app_server.instance_id,
                   'manual:host:' || app_server.host_id]"""
)

# With the last of its app servers would go the machine, and with that the only data of the site.
_HOLDS_DATA = """
    SELECT FROM machines JOIN recipes ON recipes.id = instances.recipe_id
    WHERE machines.host_id = app_server.host_id AND machines.host_id = prepared_host_id
      AND machines.status NOT IN ('failed', 'terminated')
      AND recipes.document ->> 'data' IS DISTINCT FROM 'network'
      AND NOT EXISTS (
          SELECT FROM app_servers AS mate
          WHERE mate.instance_id = instances.id AND mate.host_id = app_server.host_id
            AND mate.id <> app_server.id
            AND mate.status IN ('new', 'waiting', 'configuring', 'running')
            AND (mate.is_active OR mate.error ->> 'code' IS DISTINCT FROM 'unconfirmed-gone'))
"""

# What others needed the last time is looked at again after a day, and not each hour.
_IS_DUE = f"""
    (asked.last IS NULL OR {IS_DUE.format(last="asked.last", first="asked.first")}
     AND (asked.code IS DISTINCT FROM 'in-use'
          OR asked.last < clock_timestamp() - interval '1 day'))
"""

_OBSOLETE = f"""
    SELECT app_server.id, app_server.instance_id
    FROM instances JOIN app_servers AS app_server ON app_server.instance_id = instances.id
    {ASKED}
    WHERE retention_days IS NOT NULL AND ($1::uuid IS NULL OR instances.id = $1)
      AND app_server.status IN ('running', 'failed', 'error', 'terminated')
      AND cleaned_at IS NULL
      AND NOT is_active AND {_LOCKED} IS NULL AND {_IS_DUE}
      AND NOT EXISTS ({_HOLDS_DATA})
      AND (app_server.status <> 'running' OR router_id IS NULL OR route_applied >= route_version)
      AND coalesce(deactivated_at, app_server.created_at)
          < clock_timestamp() - make_interval(days => retention_days)
      AND (app_server.status <> 'running'
           OR (number <> (SELECT max(number) FROM app_servers AS other
                          WHERE other.instance_id = instances.id AND status = 'running')
               AND coalesce(deactivated_at <> ({_OUT_LAST}), true)
               AND coalesce(deactivated_at <> ({_OUT_LAST} AND deactivated_at <= (
                   SELECT max(activated_at) FROM app_servers AS active
                   WHERE active.instance_id = instances.id AND is_active)), true)))
      AND NOT EXISTS (
          SELECT FROM jobs WHERE jobs.instance_id = instances.id AND NOT dry_run
             AND jobs.status IN ('queued', 'blocked', 'running', 'canceling'))
    ORDER BY app_server.instance_id, number LIMIT $2
"""  # noqa: S608 (only the text above)

_MARK_CLEANED = """
    UPDATE app_servers SET cleaned_at = now(), version = version + 1, updated_at = now()
    WHERE id = $1 AND cleaned_at IS NULL
"""

# Why one that failed did so stays readable.
_KEEP_UNCONFIRMED = """
    UPDATE app_servers SET error = $2::jsonb, version = version + 1, updated_at = now()
    WHERE id = $1 AND cleaned_at IS NULL AND status = 'running'
"""

# A part that somebody repeated by hand was asked for then, and not with the rest.
_NEWEST_REQUEST = """
    SELECT max(request.sequence) FROM jobs JOIN jobs AS request ON request.id = coalesce(
        jobs.params ->> 'request', jobs.params ->> 'deployment', jobs.id::text)::uuid
    WHERE jobs.id = ANY($1::uuid[])
"""

_REQUEST_IN_SERVICE = "SELECT id FROM jobs WHERE instance_id = $1 AND sequence = $2"


@dataclass(frozen=True)
class StandingView:
    """How an instance stands."""

    #: The app servers in service, by number.
    active: tuple[AppServer, ...]
    #: The one made last; None when there is none yet.
    newest: AppServer | None
    state: InstanceState


async def standing_of(
    session: AsyncSession, instance_ids: Collection[UUID]
) -> Mapping[UUID, StandingView]:
    """How each of these instances stands: two statements for all of them."""
    ids = list(instance_ids)
    shown: dict[UUID, list[AppServer]] = {one: [] for one in ids}
    for row in await driver(session).fetch(_SHOWN, ids):
        app_server = _APP_SERVER.build(row)
        shown[app_server.instance_id].append(app_server)
    states = {
        row["instance_id"]: state_of(
            [AppServerStatus(word) for word in row["statuses"]],
            wanted=row["wanted"],
            earlier=row["earlier"],
        )
        for row in await driver(session).fetch(_REQUESTS, ids)
    }
    return {
        one: StandingView(
            active=tuple(row for row in rows if row.is_active),
            newest=rows[-1] if rows else None,
            state=states.get(one, state_of(())),
        )
        for one, rows in shown.items()
    }


async def list_obsolete(
    session: AsyncSession, *, limit: int, instance_id: UUID | None = None
) -> dict[UUID, list[UUID]]:
    """App servers that are kept no longer, by instance; only of the one, when it is given."""
    found: dict[UUID, list[UUID]] = {}
    for row in await driver(session).fetch(_OBSOLETE, instance_id, limit):
        found.setdefault(row["instance_id"], []).append(row["id"])
    return found


async def mark_cleaned(session: AsyncSession, app_server_id: UUID) -> None:
    """Note that its process is stopped and its files are removed."""
    await driver(session).execute(_MARK_CLEANED, app_server_id)


async def keep_unconfirmed(
    session: AsyncSession, app_server_id: UUID, error: Mapping[str, Any]
) -> None:
    """Note at one that runs, as far as anybody knows, why nobody can tell whether it is gone."""
    await driver(session).execute(_KEEP_UNCONFIRMED, app_server_id, json.dumps(dict(error)))


async def newest_request(session: AsyncSession, job_ids: Collection[UUID]) -> int | None:
    """The place in the order of requests of the last one that any of these jobs belongs to."""
    found: int | None = await driver(session).fetchval(_NEWEST_REQUEST, list(job_ids))
    return found


async def find_request(session: AsyncSession, instance_id: UUID, sequence: int) -> UUID | None:
    """The job of the instance with that place in the order of requests."""
    found: UUID | None = await driver(session).fetchval(_REQUEST_IN_SERVICE, instance_id, sequence)
    return found
