"""How a host looks in JSON."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.domain import host_key
from app.domain.host import HostStatus, Supervisor
from app.services.hosts import HostView

FINGERPRINT = "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDqdFfOTd9C5gVqSEw"
_EXAMPLE: JsonDict = {
    "id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    "name": "web-1",
    "address": "web-1.example.org",
    "port": 22,
    "user": "deploy",
    "base_dir": "liftlock",
    "sudo": False,
    "jump_host": None,
    "supervisor": "systemd",
    "supervisor_options": {},
    "site_address": "127.0.0.1",
    "pool": None,
    "labels": {},
    "capacity": 2,
    "places": None,
    "port_first": 20000,
    "port_last": 29999,
    "status": "ready",
    "status_reason": None,
    "enrolled": False,
    "host_key": None,
    "fingerprint": None,
    "pending_fingerprint": FINGERPRINT,
    "version": 2,
    "created_at": "2026-11-21T05:00:00Z",
    "updated_at": "2026-11-21T05:00:00Z",
}


class Host(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    name: str
    address: str
    port: int
    user: str
    base_dir: str
    sudo: bool
    jump_host: str | None
    supervisor: Supervisor
    supervisor_options: dict[str, Any]
    #: Where its sites listen, and where a router finds them.
    site_address: str
    pool: str | None
    labels: dict[str, Any]
    #: Jobs side by side.
    capacity: int
    #: App servers that a pool may put on it; null: as many as it has ports.
    places: int | None
    port_first: int
    port_last: int
    status: HostStatus
    #: Why Liftlock took it out of use: {code, detail, job, at}; null once somebody set its status.
    status_reason: dict[str, Any] | None
    #: Whether its key is pinned; only then does Liftlock log in.
    enrolled: bool
    host_key: str | None
    fingerprint: str | None
    #: Of the key that the last enrolment read; confirm it to pin that key.
    pending_fingerprint: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: HostView) -> Self:
        host = view.host
        pinned = host.host_key
        return cls(
            **host.model_dump(include=set(cls.model_fields)),
            user=host.username,
            jump_host=view.jump_host,
            enrolled=pinned is not None,
            fingerprint=host_key.fingerprint(pinned) if pinned else None,
        )


class EnrolledHost(Host):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_EXAMPLE,
                    "enrolled": True,
                    "fingerprint": FINGERPRINT,
                    "pending_fingerprint": None,
                    "replaced_fingerprint": None,
                }
            ]
        }
    )

    #: Of the key that was pinned before, when this one replaced it.
    replaced_fingerprint: str | None = None
