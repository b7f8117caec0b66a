"""The `locks` table: where fencing tokens come from."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from app.models.base import Instant


class Lock(SQLModel, table=True):
    __tablename__ = "locks"

    name: str = Field(primary_key=True)
    #: Only ever grows; it survives anything that happens to Redis.
    token: int = Field(default=0, sa_type=BigInteger)
    holder_job: UUID | None = None
    holder_attempt: int | None = None
    acquired_at: datetime | None = Field(default=None, sa_type=Instant)
    #: What the person said who placed it by hand; it is held while there is a message.
    message: str | None = None
    actor: str | None = None
