"""The statements that read what the plan of a job is made from; for a provision it is one."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.models import AppServer, Host, Instance, Job, Machine, Router
from app.store.database import driver
from app.store.plain import Columns

#: Hosts on the way to a host; more is a loop.
_MOST_JUMPS = 4

_JOB, _HOST = Columns(Job, "job"), Columns(Host, "host")
_INSTANCE = Columns(Instance, "instance")
_APP_SERVER, _OLDER = Columns(AppServer, "app_server"), Columns(AppServer, "older")
_ROUTER, _MACHINE = Columns(Router, "router"), Columns(Machine, "machine")

_FIND = f"""
    SELECT {_JOB.sql}, {_HOST.sql}, {_INSTANCE.sql}, {_APP_SERVER.sql}, {_OLDER.sql},
           {_MACHINE.sql},
           recipes.document::text AS recipe,
           ARRAY(SELECT name FROM secrets WHERE secrets.instance_id = instance.id ORDER BY name)
               AS secret_names,
           ARRAY(SELECT id FROM app_servers AS active
                 WHERE active.instance_id = job.instance_id AND is_active ORDER BY number)
               AS active
    FROM jobs AS job
    LEFT JOIN hosts AS host ON host.id = job.host_id
    LEFT JOIN machines AS machine ON machine.host_id = job.host_id
    LEFT JOIN instances AS instance ON instance.id = job.instance_id
    LEFT JOIN recipes ON recipes.id = job.recipe_id
    LEFT JOIN app_servers AS app_server ON app_server.job_id = job.id
    LEFT JOIN LATERAL (
        SELECT * FROM app_servers WHERE instance_id = job.instance_id AND status = 'running'
        ORDER BY number DESC LIMIT 1
    ) AS older ON true
    WHERE job.id = $1
"""  # noqa: S608 (columns of the models, nothing from outside)

_STANDING = f"""
    SELECT {_APP_SERVER.sql}, {_HOST.sql}, recipes.document::text AS recipe
    FROM app_servers AS app_server JOIN hosts AS host ON host.id = app_server.host_id
         JOIN recipes ON recipes.id = app_server.recipe_id
    WHERE app_server.id = ANY($1::uuid[]) ORDER BY app_server.number
"""  # noqa: S608 (columns of the models, nothing from outside)

_ROUTED = f"""
    SELECT {_ROUTER.sql}, {_HOST.sql}
    FROM routers AS router JOIN hosts AS host ON host.id = router.host_id WHERE router.id = $1
"""  # noqa: S608 (columns of the models, nothing from outside)

_WAYS = f"""
    WITH RECURSIVE way AS (
        SELECT id AS start, jump_host_id AS next, 1 AS length FROM hosts WHERE id = ANY($1::uuid[])
        UNION ALL
        SELECT start, jump_host_id, length + 1 FROM way JOIN hosts ON hosts.id = way.next
        WHERE length < {_MOST_JUMPS}
    )
    SELECT way.start, {_HOST.sql} FROM way JOIN hosts AS host ON host.id = way.next
    ORDER BY way.start, length
"""  # noqa: S608 (columns of the models, nothing from outside)


@dataclass(frozen=True)
class Found:
    job: Job
    host: Host | None
    instance: Instance | None
    app_server: AppServer | None
    #: The instance's newest app server that runs.
    older: AppServer | None
    #: The recipe's document as JSON.
    recipe: str | None
    secret_names: tuple[str, ...]
    #: The app servers in service, by number.
    active: tuple[UUID, ...]
    #: That the job's host is, when a provider made it.
    machine: Machine | None


@dataclass(frozen=True)
class FoundStanding:
    app_server: AppServer
    host: Host
    #: The recipe's document as JSON.
    recipe: str


async def find(session: AsyncSession, job_id: UUID) -> Found | None:
    row = await driver(session).fetchrow(_FIND, job_id)
    if row is None:
        return None
    return Found(
        job=_JOB.build(row),
        host=_HOST.find(row),
        instance=_INSTANCE.find(row),
        app_server=_APP_SERVER.find(row),
        older=_OLDER.find(row),
        recipe=row["recipe"],
        secret_names=tuple(row["secret_names"]),
        active=tuple(row["active"]),
        machine=_MACHINE.find(row),
    )


async def list_standing(
    session: AsyncSession, app_server_ids: Collection[UUID]
) -> list[FoundStanding]:
    """These app servers with their hosts and recipes, by number."""
    rows = await driver(session).fetch(_STANDING, list(app_server_ids))
    return [
        FoundStanding(_APP_SERVER.build(row), _HOST.build(row), recipe=row["recipe"])
        for row in rows
    ]


async def find_routed(session: AsyncSession, router_id: UUID) -> tuple[Router, Host] | None:
    """The router and its host."""
    row = await driver(session).fetchrow(_ROUTED, router_id)
    return None if row is None else (_ROUTER.build(row), _HOST.build(row))


async def ways(session: AsyncSession, host_ids: Collection[UUID]) -> dict[UUID, tuple[Host, ...]]:
    """The hosts to jump through on the way to each, nearest to the worker last."""
    found: dict[UUID, tuple[Host, ...]] = {}
    for row in await driver(session).fetch(_WAYS, list(host_ids)):
        found[row["start"]] = (*found.get(row["start"], ()), _HOST.build(row))
    return found
