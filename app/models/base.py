"""What all tables share: keys, times, and words stored as text."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import DateTime, Dialect, MetaData, String, TypeDecorator, text
from sqlmodel import Field, SQLModel

#: Constraint names are fixed by rule, so that a migration can name what it drops.
SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by time of creation. Made here, since PostgreSQL < 18 cannot."""
    return uuid_utils.compat.uuid7()


class Word(TypeDecorator[StrEnum]):
    """A vocabulary stored as text and read back as its StrEnum."""

    impl = String
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else str(self.words(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        del dialect
        return None if value is None else self.words(value)


#: Timestamps are always with a zone.
Instant = DateTime(timezone=True)


def given(value: str) -> dict[str, Any]:
    """For a column younger than its table: what the inserts of an older release leave to it."""
    return {"server_default": text(f"'{value}'")}


class Row(SQLModel):
    id: UUID = Field(default_factory=new_id, primary_key=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=Instant)


class MutableRow(Row):
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Instant)
    #: Counts changes; the ETag of the API.
    version: int = 1
