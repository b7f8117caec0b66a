"""Statements about API tokens."""

from uuid import UUID

from sqlalchemy import func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.errors import NotFound
from app.models import Token
from app.models.base import utc_now
from app.store import rows


async def add(session: AsyncSession, token: Token) -> Token:
    return await rows.add(session, token, taken="This token exists.")


async def find_live(session: AsyncSession, digest: str) -> Token | None:
    """The token with that hash, unless it was revoked or has expired; marks it as used."""
    now = utc_now()
    query = select(Token).where(
        Token.hash == digest,
        col(Token.revoked_at).is_(None),
        or_(col(Token.expires_at).is_(None), col(Token.expires_at) > now),
    )
    return (await session.exec(query)).first()


async def mark_used(session: AsyncSession, token: Token) -> None:
    """Keep when it was last used, to the minute: a write for every request would be waste."""
    connection = await session.connection()
    await connection.execute(
        update(Token)
        .where(
            col(Token.id) == token.id,
            or_(
                col(Token.last_used_at).is_(None),
                col(Token.last_used_at) < func.now() - func.make_interval(0, 0, 0, 0, 0, 1),
            ),
        )
        .values(last_used_at=func.now())
    )


async def list_page(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Token]:
    return await rows.page(session, select(Token), Token, after=after, limit=limit)


async def revoke(session: AsyncSession, token_id: UUID) -> None:
    token = await session.get(Token, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.")
    token.revoked_at = token.revoked_at or utc_now()
    session.add(token)
