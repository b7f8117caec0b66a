"""An app server's state changes, and the job that changes it tells so."""

from collections.abc import Mapping
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.models import AppServer, Job

_APP_SERVER_EVENTS = {
    AppServerStatus.WAITING: EventType.APP_SERVER_WAITING,
    AppServerStatus.CONFIGURING: EventType.APP_SERVER_CONFIGURING,
    AppServerStatus.RUNNING: EventType.APP_SERVER_RUNNING,
    AppServerStatus.FAILED: EventType.APP_SERVER_FAILED,
    AppServerStatus.ERROR: EventType.APP_SERVER_ERROR,
    AppServerStatus.TERMINATED: EventType.APP_SERVER_TERMINATED,
}


async def move(
    session: AsyncSession,
    job: Job,
    app_server: AppServer,
    wanted: AppServerStatus,
    *,
    attempt: int | None = None,
    error: Mapping[str, Any] | None = None,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Change the state of an app server, with its event, which says `told` as well."""
    await store.app_servers.move(session, app_server, wanted, error=dict(error) if error else None)
    data = {"id": str(app_server.id), "name": app_server.name, **(told or {})}
    event = (_APP_SERVER_EVENTS[wanted], data)
    await store.events.append(session, job.id, event, attempt=attempt)
