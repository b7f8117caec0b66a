"""The `app_servers` table: one immutable deployment each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.domain.app_server import HOLDS_PORT, AppServerStatus
from app.models.base import Instant, MutableRow, Word, given

_HOLDS_PORT = ", ".join(f"'{status}'" for status in sorted(HOLDS_PORT))


class AppServer(MutableRow, table=True):
    __tablename__ = "app_servers"
    __table_args__ = (
        UniqueConstraint("instance_id", "number"),
        Index(
            "uq_app_servers_host_id_port",
            "host_id",
            "port",
            unique=True,
            postgresql_where=text(f"status IN ({_HOLDS_PORT}) AND takes_over_id IS NULL"),
        ),
    )

    instance_id: UUID = Field(foreign_key="instances.id", index=True)
    host_id: UUID = Field(foreign_key="hosts.id", index=True)
    job_id: UUID = Field(foreign_key="jobs.id", index=True)
    recipe_id: UUID = Field(foreign_key="recipes.id")
    number: int
    name: str
    revision: str
    #: The exact commit or package version that the revision meant.
    commit: str | None = None
    #: Its release folder, relative to the host's base folder.
    release: str
    status: AppServerStatus = Field(default=AppServerStatus.NEW, sa_type=Word(AppServerStatus))
    is_active: bool = False
    #: When it was last put into service; it stays when it is taken out.
    activated_at: datetime | None = Field(default=None, sa_type=Instant)
    deactivated_at: datetime | None = Field(default=None, sa_type=Instant)
    #: When its process was stopped and its files were removed, whatever its state says.
    cleaned_at: datetime | None = Field(default=None, sa_type=Instant)
    #: The first job of the request that wanted it: those of one request go into service together.
    #: None: it stands for itself.
    deployment_id: UUID | None = Field(default=None, index=True)
    #: Where it listens, and where a router finds it.
    address: str = Field(default="127.0.0.1", sa_column_kwargs=given("127.0.0.1"))
    port: int
    #: The environment it was made with (settings resolved; no secret), never changed.
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    #: The extensions that its release contains, in the order in which they are enabled, never
    #: changed: documents of `app.domain.extension.Extension`.
    extensions: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=JSONB, sa_column_kwargs=given("[]")
    )
    #: The one whose place it takes on its host, with its port.
    takes_over_id: UUID | None = Field(default=None, foreign_key="app_servers.id", index=True)
    error: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
