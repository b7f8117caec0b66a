"""API tokens: made once, shown once, kept as a hash."""

import hashlib
import hmac
import secrets
import string
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app import store
from app.domain.scope import Scope
from app.errors import FieldError, Invalid
from app.models import Token
from app.store.database import Database

_ALPHABET = string.ascii_lowercase + string.digits
_MOST_DAYS = 3650
_LONGEST_NAME = 100
#: How exactly the last use is kept: a write for every request would be waste.
_USED = timedelta(minutes=1)


async def create(
    db: Database, *, name: str, scope: Scope, expires_in_days: int | None = None
) -> tuple[Token, str]:
    """The token's row and its text, which is not kept; raises Invalid."""
    _check(name, expires_in_days)
    prefix = "llk_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    expires_at = None
    if expires_in_days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=expires_in_days)
    token = Token(name=name, prefix=prefix, hash=_hash(text), scope=scope, expires_at=expires_at)
    async with db.transaction() as session:
        return await store.tokens.add(session, token), text


async def authenticate(db: Database, text: str) -> Token | None:
    """The live token with that text. Whatever the text is, the same work is done."""
    digest = _hash(text)
    async with db.statement() as session:
        token = await store.tokens.find_live(session, digest)
        if token is None or not hmac.compare_digest(token.hash, digest):
            return None
        if token.last_used_at is None or datetime.now(UTC) - token.last_used_at > _USED:
            await store.tokens.mark_used(session, token)
        return token


async def list_page(db: Database, *, after: UUID | None, limit: int) -> list[Token]:
    async with db.transaction() as session:
        return await store.tokens.list_page(session, after=after, limit=limit)


async def revoke(db: Database, token_id: UUID) -> None:
    """End it now; its row stays in the list. Raises NotFound."""
    async with db.transaction() as session:
        await store.tokens.revoke(session, token_id)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _check(name: str, expires_in_days: int | None) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable() or not name.strip():
        detail = f"a name has 1 to {_LONGEST_NAME} characters and no control characters"
        raise Invalid(errors=(FieldError("/name", detail),))
    if expires_in_days is not None and not 1 <= expires_in_days <= _MOST_DAYS:
        detail = f"a token lives 1 to {_MOST_DAYS} days, or without end when this is absent"
        raise Invalid(errors=(FieldError("/expires_in_days", detail),))
