"""The `recipes` table: every version of every recipe, never changed."""

from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from app.models.base import Row


class Recipe(Row, table=True):
    __tablename__ = "recipes"
    __table_args__ = (UniqueConstraint("name", "version"),)

    name: str
    version: int
    #: SHA-256 of the document: pushing the same again makes no new version.
    digest: str
    document: dict[str, Any] = Field(sa_type=JSONB)
    #: The YAML as it was sent, comments included.
    source: str
