"""What every aggregate's statements share: finding by id or name, and pages in key order."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from app.errors import AlreadyExists, NotFound
from app.models.base import Row

R = TypeVar("R", bound=Row)
M = TypeVar("M", bound=SQLModel)


def parse_id(ref: str | UUID) -> UUID | None:
    """A UUID when the text is one, else None."""
    if isinstance(ref, UUID):
        return ref
    try:
        return UUID(ref)
    except ValueError:
        return None


async def find(session: AsyncSession, model: type[R], ref: str | UUID) -> R | None:
    """By id, else by name."""
    found = parse_id(ref)
    if found is not None:
        return await session.get(model, found)
    return (await session.exec(_named(model, ref))).first()


async def get(session: AsyncSession, model: type[R], ref: str | UUID, *, noun: str) -> R:
    """By id or name; raises NotFound with the noun that the user knows."""
    row = await find(session, model, ref)
    if row is None:
        raise not_found(ref, noun)
    return row


async def lock(session: AsyncSession, model: type[R], ref: str | UUID, *, noun: str) -> R:
    """The same, locked against other writers until the transaction ends, freshly read.

    FOR NO KEY UPDATE: rows that merely point at this one may be written meanwhile.
    """
    query = _named(model, ref).with_for_update(key_share=True)
    return await _fresh(session, query, ref, noun)


async def hold(session: AsyncSession, model: type[R], ref: str | UUID, *, noun: str) -> R:
    """The same, locked only against deletion: FOR KEY SHARE, as a foreign key does it."""
    query = _named(model, ref).with_for_update(read=True, key_share=True)
    return await _fresh(session, query, ref, noun)


async def add(session: AsyncSession, row: M, *, taken: str) -> M:
    """Insert; a unique key that exists becomes AlreadyExists with `taken` as its sentence."""
    session.add(row)
    await flush(session, taken=taken)
    return row


async def flush(session: AsyncSession, *, taken: str) -> None:
    """Write what changed; a unique key that exists becomes AlreadyExists with that sentence."""
    try:
        await session.flush()
    except IntegrityError as error:
        if "unique" in str(error.orig).lower():
            raise AlreadyExists(taken) from error
        raise


async def page(
    session: AsyncSession,
    query: SelectOfScalar[R],
    model: type[R],
    *,
    after: UUID | None,
    limit: int,
    newest_first: bool = False,
) -> list[R]:
    """At most `limit` rows in key order behind `after`; ids are UUIDv7, so that is time order."""
    key = col(model.id)
    if after is not None:
        query = query.where(key < after if newest_first else key > after)
    query = query.order_by(key.desc() if newest_first else key).limit(limit)
    return list((await session.exec(query)).all())


def _named(model: type[R], ref: str | UUID) -> SelectOfScalar[R]:
    """By id when it is one, else by name."""
    found = parse_id(ref)
    if found is not None:
        return select(model).where(col(model.id) == found)
    named: Any = model
    return select(model).where(named.name == ref)


async def _fresh(session: AsyncSession, query: SelectOfScalar[R], ref: str | UUID, noun: str) -> R:
    query = query.execution_options(populate_existing=True)
    row = (await session.exec(query)).first()
    if row is None:
        raise not_found(ref, noun)
    return row


def not_found(ref: str | UUID, noun: str) -> NotFound:
    """With the noun that the user knows."""
    return NotFound(f"There is no {noun} {str(ref)!r}.")
