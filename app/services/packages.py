"""Wheels that people upload, for extensions that are on no index."""

import asyncio
import hashlib

from app import store
from app.domain import wheel
from app.domain.wheel import NoWheel
from app.errors import FieldError, InUse, Invalid, NotFound
from app.models import Package
from app.store.database import Database


async def upload(
    db: Database, *, filename: str, content: bytes, actor: str
) -> tuple[Package, bool]:
    """Keep a wheel; False when one with this content is there already, under whatever name.

    Raises Invalid for what is no wheel of that name. Another thread reads it: others are answered
    meanwhile.
    """
    row = await asyncio.to_thread(_read, filename, content, actor)
    async with db.transaction() as session:
        if await store.packages.add(session, row):
            return row, True
        found = await store.packages.find(session, row.sha256)
    if found is None:
        # Somebody has removed it between the two.
        return await upload(db, filename=filename, content=content, actor=actor)
    return found, False


async def get(db: Database, sha256: str) -> Package:
    """Without its content; raises NotFound."""
    async with db.transaction() as session:
        row = await store.packages.find(session, sha256)
    if row is None:
        raise NotFound(f"There is no package {sha256!r}.", hint="List them: GET /v1/packages")
    return row


async def content(db: Database, sha256: str) -> bytes:
    """The bytes of an uploaded wheel, for a worker; raises NotFound."""
    async with db.statement() as session:
        found = await store.packages.content(session, sha256)
    if found is None:
        raise NotFound(f"There is no uploaded package {sha256}.", hint="Upload it again.")
    return found


async def list_page(db: Database, *, after: str | None, limit: int) -> list[Package]:
    """By name, without their content; `after` is the `place` of one."""
    async with db.transaction() as session:
        return await store.packages.list_page(session, after=after, limit=limit)


async def remove(db: Database, sha256: str) -> None:
    """Raises NotFound, and InUse while an extension, what serves or a job needs it."""
    async with db.transaction() as session:
        row = await store.packages.lock(session, sha256)
        users = await store.packages.users(session, sha256)
        if users:
            raise InUse(
                f"{row.filename} is needed by {', '.join(users)}.",
                hint="Install another version there, or uninstall it; a job that has not ended can"
                " be canceled.",
            )
        await store.packages.remove(session, row)


def _read(filename: str, content: bytes, actor: str) -> Package:
    try:
        found = wheel.read(filename, content)
    except NoWheel as error:
        detail = f"this is no wheel: {error}"
        raise Invalid(errors=(FieldError("", detail),), code="invalid-wheel") from None
    return Package(
        sha256=hashlib.sha256(content).hexdigest(),
        filename=filename,
        name=found.name,
        version=found.version,
        size=len(content),
        content=content,
        actor=actor,
    )
