"""/v1/machines: what providers made, or were asked for, until it is known to be gone."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app import services
from app.api.access import READ
from app.api.handles import Here
from app.api.pages import Page, Paged
from app.api.route import router as routes_of
from app.domain.machine import MachineStatus
from app.services.machines import MachineView

router = routes_of("machines")


class Machine(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
                    "tag": "liftlock-3f9a01c2-0198c5a26c1e7d649b1f2f6f0a6b8c11",
                    "provider": "cloud",
                    "status": "ready",
                    "known": True,
                    "host": "guestbook-2",
                    "instance": "guestbook",
                    "external_id": "i-0f3a",
                    "address": "192.0.2.17",
                    "error": None,
                    "created_at": "2026-11-21T05:00:00Z",
                    "updated_at": "2026-11-21T05:01:00Z",
                    "ready_at": "2026-11-21T05:01:00Z",
                    "terminated_at": None,
                }
            ]
        }
    )

    id: UUID
    #: How its provider knows it.
    tag: str
    provider: str
    #: `unknown`: nobody can tell whether it is there, so it may cost money.
    status: MachineStatus
    #: False: it was found at the provider, and nobody here had asked for it.
    known: bool
    host: str | None
    instance: str | None
    #: The provider's own name for it; empty until it has told one.
    external_id: str
    #: Empty until it is made.
    address: str
    error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    terminated_at: datetime | None

    @classmethod
    def of(cls, view: MachineView) -> Self:
        values = view.machine.model_dump(include=set(cls.model_fields))
        return cls(**values, known=view.known, host=view.host, instance=view.instance)


@router.get("/machines", dependencies=READ)
async def list_machines(cursor: Paged, here: Here) -> Page[Machine]:
    """Oldest first, also those that are gone."""
    found = await services.machines.list_page(here.db, after=cursor.after, limit=cursor.limit)
    return cursor.page(found, lambda view: view.machine, Machine.of)
