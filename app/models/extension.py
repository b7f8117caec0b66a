"""The `extensions` and `extension_hosts` tables: what is added to an instance, and where it is."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.domain.extension import ExtensionStatus
from app.domain.extension_host import ExtensionHostStatus
from app.models.base import Instant, Row, Word, utc_now

#: None is NULL, not JSON's own null.
_MaybeJson = JSONB(none_as_null=True)


class Extension(Row, table=True):
    __tablename__ = "extensions"
    __table_args__ = (UniqueConstraint("instance_id", "name"),)

    instance_id: UUID = Field(foreign_key="instances.id", ondelete="CASCADE")
    #: Of the package, normalized (PEP 503).
    name: str
    #: Where the package comes from: a document of `app.domain.extension.PackageSource`.
    source: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    #: The one that is wanted.
    version: str
    status: ExtensionStatus = Field(sa_type=Word(ExtensionStatus))
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    #: Names of extensions that are enabled before it.
    requires: list[str] = Field(default_factory=list, sa_type=JSONB)
    #: Why it could not be loaded: a message, an empty line, what the step said last.
    load_error: str | None = None
    #: Of the job that failed, as jobs have it.
    error: dict[str, Any] | None = Field(default=None, sa_type=_MaybeJson)
    #: The newest job that was about it; one of the instance's, and it goes with it.
    last_job_id: UUID
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Instant)


class ExtensionHost(SQLModel, table=True):
    __tablename__ = "extension_hosts"

    extension_id: UUID = Field(foreign_key="extensions.id", primary_key=True, ondelete="CASCADE")
    host_id: UUID = Field(foreign_key="hosts.id", primary_key=True, ondelete="CASCADE", index=True)
    #: The version that was read back from the release; None: there is no stamp.
    stamp: str | None = None
    status: ExtensionHostStatus = Field(sa_type=Word(ExtensionHostStatus))
    error: dict[str, Any] | None = Field(default=None, sa_type=_MaybeJson)
    #: Whose release it was looked for in.
    app_server_id: UUID | None = None
    #: When.
    at: datetime = Field(default_factory=utc_now, sa_type=Instant)
