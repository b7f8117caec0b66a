"""How an instance looks in JSON."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.domain.app_server import AppServerStatus
from app.domain.deployment import InstanceState
from app.domain.instance_spec import TlsSpec
from app.models import AppServer
from app.services.instance_views import InstanceView

_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
_ROUTE: JsonDict = {
    "version": 3,
    "applied": 3,
    "behind_since": None,
    "failures": 0,
    "next_try_at": None,
    "drift": None,
}
_APP_SERVER: JsonDict = {"id": _ID, "number": 2, "status": "running", "is_active": True}


class AppServerOfInstance(BaseModel):
    id: UUID
    number: int
    status: AppServerStatus
    is_active: bool

    @classmethod
    def of(cls, row: AppServer) -> Self:
        return cls(**row.model_dump(include=set(cls.model_fields)))


class Drift(BaseModel):
    """A look found the router otherwise than it had been read back."""

    at: datetime
    #: What was found and what was wanted, in words.
    found: str
    #: When a job had brought it back; None: not yet.
    repaired_at: datetime | None = None


class RouteOfInstance(BaseModel):
    #: Counts what was wanted of the router.
    version: int
    #: The version that was last read back from it.
    applied: int
    #: Since when the router is behind that; None: it is not.
    behind_since: datetime | None
    #: Jobs that failed, one after the other, to bring about what is wanted now.
    failures: int
    #: Not before then is it tried again; None: nothing failed.
    next_try_at: datetime | None
    #: The last one.
    drift: Drift | None

    @classmethod
    def of(cls, view: InstanceView) -> Self:
        row, behind = view.instance, view.behind
        return cls(
            version=row.route_version,
            applied=row.route_applied,
            behind_since=behind.since if behind else None,
            failures=behind.failures if behind else 0,
            next_try_at=behind.next_try_at if behind else None,
            drift=Drift.model_validate(row.route_drift) if row.route_drift else None,
        )


class Instance(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "name": "guestbook",
                    "recipe": "django@1",
                    "repository": "https://git.example.org/guestbook.git",
                    "revision": "v1",
                    "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings"},
                    "domain": "guestbook.example.org",
                    "host": "web-1",
                    "pool": None,
                    "provider": None,
                    "labels": {},
                    "target_count": 1,
                    "retention_days": 2,
                    "router": "edge",
                    "tls": {"mode": "auto", "certificate": None, "key": None},
                    "route": _ROUTE,
                    "state": "healthy",
                    "active_app_servers": [_APP_SERVER],
                    "newest_app_server": _APP_SERVER,
                    "prepared_at": None,
                    "participants_created": [],
                    "version": 1,
                    "created_at": "2026-11-21T05:00:00Z",
                    "updated_at": "2026-11-21T05:00:00Z",
                }
            ]
        }
    )

    id: UUID
    name: str
    #: name@version: pinned when it was set.
    recipe: str
    repository: str
    revision: str
    settings: dict[str, Any]
    domain: str | None
    host: str | None
    pool: str | None
    #: Who makes a machine for each of its app servers.
    provider: str | None
    labels: dict[str, Any]
    target_count: int
    retention_days: int | None
    #: Who passes requests on to its active app servers.
    router: str | None
    tls: TlsSpec
    route: RouteOfInstance
    #: By its newest request. `preparing`: nothing ran yet. `changes_pending`: a new one waits,
    #: beside what an earlier one made. `provisioning`: it is being carried out. `healthy`: as many
    #: app servers run as are wanted. `unhealthy`: fewer do. `offline`: all were terminated.
    state: InstanceState
    #: Those in service, by number.
    active_app_servers: list[AppServerOfInstance]
    newest_app_server: AppServerOfInstance | None
    prepared_at: datetime | None
    participants_created: list[str]
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: InstanceView) -> Self:
        row, standing = view.instance, view.standing
        values = row.model_dump(include=set(cls.model_fields) - {"tls"})
        newest = standing.newest
        return cls(
            **values,
            recipe=view.recipe,
            host=view.host,
            router=view.router,
            tls=TlsSpec.model_validate(row.tls),
            route=RouteOfInstance.of(view),
            state=standing.state,
            active_app_servers=[AppServerOfInstance.of(one) for one in standing.active],
            newest_app_server=AppServerOfInstance.of(newest) if newest else None,
        )
