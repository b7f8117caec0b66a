"""Locks for people: those that are held, one of them, and placing one by hand."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.lock import BadLockName, Noun, lift, manual_words, parse_place
from app.errors import FieldError, Invalid, ManualLock, NotFound
from app.services import holders
from app.services.breaking import Broken, break_lock
from app.services.holders import Holder, LockView, Queued
from app.store.database import Database

__all__ = ["Broken", "Holder", "LockView", "Queued", "break_lock", "get", "list_page", "place"]


async def list_page(db: Database, *, after: str | None, limit: int) -> list[LockView]:
    """Those that are held, by name; `after` is the name of the last one seen."""
    async with db.transaction() as session:
        found = await store.locks.list_held(session, after=after, limit=limit)
        return await holders.views(session, found)


async def get(db: Database, name: str) -> LockView:
    """One of them; raises NotFound when nobody holds it."""
    async with db.transaction() as session:
        _, found = await holders.find(session, name)
        return (await holders.views(session, [found]))[0]


async def place(db: Database, *, on: str, message: str, actor: str) -> LockView:
    """Let nothing begin on `all`, `host:REF` or `instance:REF`; what has begun goes on.

    Raises Invalid with a pointer, and ManualLock when there is one already.
    """
    message = message.strip()
    if not message:
        raise _invalid("/message", "Say why: whoever is refused reads it.")
    async with db.transaction() as session:
        key = await _lock_place(session, on)
        placed = await store.locks.place(session, key, message=message, actor=actor)
        found = await holders.held(session, key, on)
        there = (await holders.views(session, [found]))[0]
        if not placed:
            raise _taken(there)
        return there


async def _lock_place(session: AsyncSession, on: str) -> str:
    """What its row is called. Its instance or host stays, and takes no request until the commit."""
    try:
        place = parse_place(on)
    except BadLockName as error:
        raise _invalid("/on", str(error)) from error
    if place.ref is None:
        return str(place)
    lock = store.orders.lock_instance if place.noun is Noun.INSTANCE else store.orders.lock_host
    try:
        target = await lock(session, place.ref)
    except NotFound as error:
        hint = f"List them: liftlock {place.noun}s list"
        raise _invalid("/on", error.detail, hint) from error
    return f"manual:{place.noun}:{target.id}"


def _taken(there: LockView) -> ManualLock:
    message = there.message or ""
    return ManualLock(
        manual_words(there.name, message=message, actor=there.actor, since=there.since),
        hint=f"There can be one at a time; to lift it: {lift(there.name, token=there.token)}",
        lock=there.name,
        message=message,
        actor=there.actor,
        since=there.since,
    )


def _invalid(pointer: str, detail: str, hint: str | None = None) -> Invalid:
    return Invalid(detail, errors=(FieldError(pointer, detail),), hint=hint)
