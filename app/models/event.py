"""The `events` table, in monthly parts: an old month is dropped whole."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Instant, utc_now


class Event(SQLModel, table=True):
    __tablename__ = "events"
    __table_args__ = {"postgresql_partition_by": "RANGE (job_id)"}

    #: A UUIDv7, so a range of ids is a month. No foreign key: the statement that writes an event
    #: updates the job's row, and fails without it.
    job_id: UUID = Field(primary_key=True)
    #: 1, 2, 3 … within the job, without a gap: the cursor of every reader.
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = Field(default_factory=utc_now, sa_type=Instant)
    type: str
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
