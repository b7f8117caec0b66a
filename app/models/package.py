"""The `packages` table: wheels that somebody uploaded, by what is in them."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from app.models.base import Instant, utc_now


class Package(SQLModel, table=True):
    __tablename__ = "packages"

    #: Of the content, in small hexadecimal digits.
    sha256: str = Field(primary_key=True)
    #: As wheels are named: pip takes no other (PEP 427).
    filename: str
    #: Of the distribution, normalized (PEP 503).
    name: str
    version: str
    #: Bytes.
    size: int
    content: bytes
    created_at: datetime = Field(default_factory=utc_now, sa_type=Instant)
    #: Who uploaded it.
    actor: str | None = None
