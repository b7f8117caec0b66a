"""How an app server looks in JSON."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.api.job_view import Named, app_server_url
from app.domain.app_server import AppServerStatus
from app.services.app_servers import AppServerView

_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"


class ExtensionOfRelease(BaseModel):
    name: str
    version: str
    enabled: bool


class AppServer(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "instance": {"id": _ID, "name": "guestbook"},
                    "job_id": _ID,
                    "deployment": _ID,
                    "number": 2,
                    "name": "AppServer 2",
                    "revision": "v2",
                    "commit": "1f3c5d7e",
                    "release": "apps/guestbook/releases/v2-2",
                    "status": "running",
                    "is_active": True,
                    "activated_at": "2026-11-21T05:01:00Z",
                    "deactivated_at": None,
                    "cleaned_at": None,
                    "address": "10.0.0.11",
                    "port": 20000,
                    "url": "http://10.0.0.11:20000/",
                    "host": {"id": _ID, "name": "web-1"},
                    "recipe": "django@1",
                    "asset_release": "1f3c5d7e-2-0a6b8c11",
                    "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings"},
                    "extensions": [
                        {"name": "guestbook-stars", "version": "1.2.0", "enabled": True}
                    ],
                    "error": None,
                    "created_at": "2026-11-21T05:00:00Z",
                    "updated_at": "2026-11-21T05:01:00Z",
                }
            ]
        }
    )

    id: UUID
    instance: Named
    job_id: UUID
    #: The first job of the request that wanted it: those of one request go into service together.
    deployment: UUID | None
    number: int
    name: str
    revision: str
    commit: str | None
    release: str
    status: AppServerStatus
    #: Whether it is in service.
    is_active: bool
    activated_at: datetime | None
    deactivated_at: datetime | None
    #: When its process was stopped and its files were removed, whatever its status says.
    cleaned_at: datetime | None
    #: Where it listens: the loopback of its host, or where a router on another host finds it.
    address: str
    port: int
    url: str
    host: Named
    recipe: str | None
    #: Its static files, by the name of their release.
    asset_release: str | None
    #: What it was made with; never changed.
    settings: dict[str, Any]
    #: What its release contains, in the order in which it is enabled; never changed.
    extensions: list[ExtensionOfRelease]
    error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: AppServerView) -> Self:
        row = view.app_server
        return cls(
            **row.model_dump(include=set(cls.model_fields)),
            instance=Named(id=row.instance_id, name=view.instance),
            deployment=row.deployment_id,
            url=app_server_url(row),
            host=Named(id=row.host_id, name=view.host or ""),
            recipe=view.recipe,
            asset_release=view.asset_release,
        )
