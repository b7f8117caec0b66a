"""The `idempotency` table: the answer to a request, for when it is sent again."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.models.base import Instant, utc_now


class Answered(SQLModel, table=True):
    __tablename__ = "idempotency"

    actor: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    #: SHA-256 of method, path and canonical body: the same key must mean the same request.
    fingerprint: bytes
    status: int
    headers: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    #: Encrypted, since an answer may hold a new token.
    body: bytes
    created_at: datetime = Field(default_factory=utc_now, sa_type=Instant, index=True)
