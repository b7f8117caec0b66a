"""The one statement that reads everything the plan of a job is made from."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.models import AppServer, Host, Instance, Job
from app.store.database import driver
from app.store.plain import Columns

_JOB, _HOST = Columns(Job, "job"), Columns(Host, "host")
_INSTANCE = Columns(Instance, "instance")
_APP_SERVER, _OLDER = Columns(AppServer, "app_server"), Columns(AppServer, "older")

_FIND = f"""
    SELECT {_JOB.sql}, {_HOST.sql}, {_INSTANCE.sql}, {_APP_SERVER.sql}, {_OLDER.sql},
           recipes.document::text AS recipe,
           ARRAY(SELECT name FROM secrets WHERE secrets.instance_id = instance.id ORDER BY name)
               AS secret_names
    FROM jobs AS job
    LEFT JOIN hosts AS host ON host.id = job.host_id
    LEFT JOIN instances AS instance ON instance.id = job.instance_id
    LEFT JOIN recipes ON recipes.id = job.recipe_id
    LEFT JOIN app_servers AS app_server ON app_server.job_id = job.id
    LEFT JOIN LATERAL (
        SELECT * FROM app_servers WHERE instance_id = job.instance_id AND status = 'running'
        ORDER BY number DESC LIMIT 1
    ) AS older ON true
    WHERE job.id = $1
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
    )
