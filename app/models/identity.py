"""The `identities` table: Liftlock's own SSH keys."""

from sqlmodel import Field

from app.models.base import Row


class Identity(Row, table=True):
    __tablename__ = "identities"

    public_key: str
    ciphertext: bytes
    #: The newest is offered first; an older one stays usable until it is removed.
    is_active: bool = Field(default=True)
