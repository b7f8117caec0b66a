"""The `machines` table: what providers were asked for, kept until it is known to be gone."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.domain.machine import MachineStatus
from app.models.base import Instant, MutableRow, Word


class Machine(MutableRow, table=True):
    __tablename__ = "machines"

    #: How the provider knows it; chosen before anybody is asked.
    tag: str = Field(unique=True)
    provider: str = Field(index=True)
    status: MachineStatus = Field(default=MachineStatus.PENDING, sa_type=Word(MachineStatus))
    #: The host that it is, or is to become; None: nobody here asked for it.
    host_id: UUID | None = Field(
        default=None, foreign_key="hosts.id", ondelete="SET NULL", index=True
    )
    #: Whose app server it is for.
    instance_id: UUID | None = Field(
        default=None, foreign_key="instances.id", ondelete="SET NULL", index=True
    )
    #: The provider's own name for it; empty until it has told one.
    external_id: str = ""
    #: Empty until it is made.
    address: str = ""
    #: What the provider is told besides the tag: `labels`.
    wanted: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    error: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    ready_at: datetime | None = Field(default=None, sa_type=Instant)
    terminated_at: datetime | None = Field(default=None, sa_type=Instant)
