"""The `tokens` table: API tokens, only ever as hashes."""

from datetime import datetime

from sqlmodel import Field

from app.domain.scope import Scope
from app.models.base import Instant, Row, Word


class Token(Row, table=True):
    __tablename__ = "tokens"

    name: str
    #: The part that may be shown, to recognise a token in a list.
    prefix: str
    #: SHA-256 of the whole token; 256 random bits need no slower hash.
    hash: str = Field(unique=True)
    scope: Scope = Field(sa_type=Word(Scope))
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    last_used_at: datetime | None = Field(default=None, sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)
