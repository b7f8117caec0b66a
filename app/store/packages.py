"""Statements about uploaded wheels. Their content is read only where it is asked for."""

from typing import Any

from sqlalchemy import tuple_
from sqlalchemy.orm import defer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from app.models import Package
from app.store import rows
from app.store.database import driver
from app.store.plain import Insert

_INSERT = Insert(Package)
_ADD = f"{_INSERT.sql} ON CONFLICT (sha256) DO NOTHING"

_CONTENT_OF = "SELECT content FROM packages WHERE sha256 = $1"
_CONTENT: Any = Package.content

# A source without an URL is an upload. While an installation is under way the row of the extension
# names the new wheel, and what serves was made with the old one.
_USERS = """
    SELECT 'extension ' || extensions.name || ' of instance ' || instances.name AS said
    FROM extensions JOIN instances ON instances.id = instance_id
    WHERE source ->> 'sha256' = $1 AND source ->> 'url' IS NULL
    UNION ALL
    SELECT 'app server ' || instances.name || ':' || number
    FROM app_servers JOIN instances ON instances.id = instance_id
    WHERE (is_active OR status IN ('new', 'waiting', 'configuring')) AND EXISTS (
        SELECT FROM jsonb_array_elements(extensions) AS one
        WHERE one -> 'source' ->> 'sha256' = $1 AND one -> 'source' ->> 'url' IS NULL
    )
    UNION ALL
    SELECT 'job ' || id FROM jobs
    WHERE status IN ('queued', 'blocked', 'running', 'canceling')
      AND params -> 'extension' ->> 'sha256' = $1 AND params -> 'extension' ->> 'url' IS NULL
    LIMIT 10
"""


async def add(session: AsyncSession, package: Package) -> bool:
    """Insert it; False when a wheel with this content is there already."""
    done: str = await driver(session).execute(_ADD, *_INSERT.values(package))
    return done == "INSERT 0 1"


async def find(session: AsyncSession, sha256: str) -> Package | None:
    """Without its content."""
    return (await session.exec(_plain().where(Package.sha256 == sha256))).first()


async def hold(session: AsyncSession, sha256: str) -> Package | None:
    """The same, locked against deletion until the transaction ends."""
    query = _plain().where(Package.sha256 == sha256)
    return (await session.exec(query.with_for_update(read=True, key_share=True))).first()


async def lock(session: AsyncSession, sha256: str) -> Package:
    """The same, locked until the transaction ends against whoever would hold it.

    Raises NotFound.
    """
    query = _plain().where(Package.sha256 == sha256)
    row = (await session.exec(query.with_for_update())).first()
    if row is None:
        raise rows.not_found(sha256, "package")
    return row


async def content(session: AsyncSession, sha256: str) -> bytes | None:
    """At most 50 MB; None when there is no such wheel."""
    found: bytes | None = await driver(session).fetchval(_CONTENT_OF, sha256)
    return found


async def list_page(session: AsyncSession, *, after: str | None, limit: int) -> list[Package]:
    """By name, without their content; `after` is the `place` of one."""
    query = _plain().order_by(col(Package.name), col(Package.sha256)).limit(limit)
    if after is not None:
        name, _, sha256 = after.partition(" ")
        query = query.where(tuple_(col(Package.name), col(Package.sha256)) > (name, sha256))
    return list((await session.exec(query)).all())


def place(package: Package) -> str:
    """Where it stands in the list."""
    return f"{package.name} {package.sha256}"


async def users(session: AsyncSession, sha256: str) -> list[str]:
    """The first that need the wheel, as words for a person. Call with its row locked."""
    return [row["said"] for row in await driver(session).fetch(_USERS, sha256)]


async def remove(session: AsyncSession, package: Package) -> None:
    await session.delete(package)
    await session.flush()


def _plain() -> SelectOfScalar[Package]:
    return select(Package).options(defer(_CONTENT, raiseload=True))
