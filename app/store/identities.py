"""Statements about Liftlock's own SSH keys."""

from uuid import UUID

from sqlalchemy import text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.models import Identity
from app.store.database import driver

_SEALED = "SELECT id, ciphertext FROM identities ORDER BY id DESC"


async def lock_all(session: AsyncSession) -> None:
    """Keep others from adding or replacing keys until the transaction ends."""
    connection = await session.connection()
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('liftlock.identities'))"))


async def add(session: AsyncSession, identity: Identity) -> Identity:
    session.add(identity)
    await session.flush()
    return identity


async def list_all(session: AsyncSession) -> list[Identity]:
    """Newest first."""
    query = select(Identity).order_by(col(Identity.id).desc())
    return list((await session.exec(query)).all())


async def list_sealed(session: AsyncSession) -> list[tuple[UUID, bytes]]:
    """Id and private key, as it is stored; newest first."""
    return [(row[0], row[1]) for row in await driver(session).fetch(_SEALED)]


async def deactivate_all(session: AsyncSession) -> None:
    """No identity is offered as the current one any more; the caller adds the next."""
    connection = await session.connection()
    await connection.execute(update(Identity).values(is_active=False))


async def delete(session: AsyncSession, identity: Identity) -> None:
    await session.delete(identity)
    await session.flush()
