"""The `asset_releases` table: the immutable static files of one app server each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.domain.asset_release import AssetReleaseStatus
from app.models.base import Instant, Row, Word, utc_now


class AssetRelease(Row, table=True):
    __tablename__ = "asset_releases"
    __table_args__ = (
        UniqueConstraint("instance_id", "release"),
        Index("ix_asset_releases_instance_id_id", "instance_id", "id"),
    )

    #: The instance and the job are those of the app server: it goes with them, and this with it.
    instance_id: UUID
    app_server_id: UUID = Field(foreign_key="app_servers.id", ondelete="CASCADE", unique=True)
    job_id: UUID
    #: Its name in the store.
    release: str
    #: The exact commit or version.
    revision: str
    status: AssetReleaseStatus = Field(sa_type=Word(AssetReleaseStatus))
    #: Of the manifest.
    hash: str | None = None
    files: int = 0
    bytes: int = Field(default=0, sa_type=BigInteger)
    new_files: int = 0
    new_bytes: int = Field(default=0, sa_type=BigInteger)
    reused_files: int = 0
    copies: int = 0
    #: The first ones; the totals count all.
    warnings: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    warnings_total: int = 0
    errors: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    errors_total: int = 0
    base_url: str | None = None
    manifest_url: str | None = None
    verified_at: datetime | None = Field(default=None, sa_type=Instant)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Instant)
