"""The `routers` table, what passes requests on to active app servers; and `left_routes`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.domain.router import RouterKind
from app.models.base import Instant, MutableRow, Word, utc_now


class Router(MutableRow, table=True):
    __tablename__ = "routers"

    name: str = Field(unique=True)
    kind: RouterKind = Field(sa_type=Word(RouterKind))
    #: Where its program runs.
    host_id: UUID = Field(foreign_key="hosts.id", index=True)
    #: As `app.domain.router_spec` knows them, with their defaults filled in.
    options: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    #: When it is to be read back again; None: as soon as may be.
    look_at: datetime | None = Field(default=None, sa_type=Instant)
    #: When it was read back last, and why that did not go; None: it went.
    looked_at: datetime | None = Field(default=None, sa_type=Instant)
    look_error: str | None = None


class LeftRoute(SQLModel, table=True):
    """An instance has another router now, or none; this one has not forgotten it yet."""

    __tablename__ = "left_routes"

    router_id: UUID = Field(foreign_key="routers.id", primary_key=True, ondelete="CASCADE")
    instance_id: UUID = Field(foreign_key="instances.id", primary_key=True, index=True)
    left_at: datetime = Field(default_factory=utc_now, sa_type=Instant)
