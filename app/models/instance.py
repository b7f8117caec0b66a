"""The `instances` and `secrets` tables: long-lived sites and what they keep hidden."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Instant, MutableRow, utc_now


class Instance(MutableRow, table=True):
    __tablename__ = "instances"

    name: str = Field(unique=True)
    recipe_id: UUID = Field(foreign_key="recipes.id", index=True)
    repository: str
    revision: str
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    domain: str | None = None
    host_id: UUID | None = Field(default=None, foreign_key="hosts.id", index=True)
    #: When `prepare` was done; it runs once in an instance's life.
    prepared_at: datetime | None = Field(default=None, sa_type=Instant)
    #: Where that was: the instance's data is there, and nowhere else.
    prepared_host_id: UUID | None = Field(default=None, foreign_key="hosts.id", index=True)
    #: Participants whose creation is done; each runs once in an instance's life.
    participants_created: list[str] = Field(default_factory=list, sa_type=JSONB)
    #: The number of its next app server.
    next_number: int = 1


class Secret(SQLModel, table=True):
    __tablename__ = "secrets"

    instance_id: UUID = Field(foreign_key="instances.id", primary_key=True)
    name: str = Field(primary_key=True)
    ciphertext: bytes
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Instant)
