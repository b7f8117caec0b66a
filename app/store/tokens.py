"""Statements about API tokens."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.errors import NotFound
from app.models import Token
from app.models.base import utc_now
from app.store import rows
from app.store.database import driver
from app.store.plain import Columns

_TOKEN = Columns(Token, "token")

_FIND_LIVE = f"""
    SELECT {_TOKEN.sql} FROM tokens AS token
    WHERE hash = $1 AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > clock_timestamp())
"""  # noqa: S608 (columns of the model, nothing from outside)

# Requests that come at the same time find the same old moment: only one of them writes.
_MARK_USED = """
    UPDATE tokens SET last_used_at = clock_timestamp()
    WHERE id = $1
      AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 second')
"""


async def add(session: AsyncSession, token: Token) -> Token:
    return await rows.add(session, token, taken="This token exists.")


async def find_live(session: AsyncSession, digest: str) -> Token | None:
    """The token with that hash, unless it was revoked or has expired."""
    found = await driver(session).fetchrow(_FIND_LIVE, digest)
    return _TOKEN.build(found) if found is not None else None


async def live_among(session: AsyncSession, ids: Collection[UUID]) -> set[UUID]:
    """Those of them that were not revoked and have not expired."""
    query = select(Token.id).where(col(Token.id).in_(ids), _is_live())
    return set((await session.exec(query)).all())


async def mark_used(session: AsyncSession, token: Token) -> None:
    """Keep when it was last used, to the minute: a write for every request would be waste."""
    await driver(session).execute(_MARK_USED, token.id)


async def list_page(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Token]:
    return await rows.page(session, select(Token), Token, after=after, limit=limit)


async def revoke(session: AsyncSession, token_id: UUID) -> None:
    token = await session.get(Token, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.")
    token.revoked_at = token.revoked_at or utc_now()
    session.add(token)


def _is_live() -> ColumnElement[bool]:
    return and_(
        col(Token.revoked_at).is_(None),
        or_(col(Token.expires_at).is_(None), col(Token.expires_at) > utc_now()),
    )
