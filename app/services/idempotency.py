"""Requests that are sent twice: the second gets the answer of the first, and does nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from app import store
from app.errors import InProgress, Invalid
from app.gateways.vault import Vault
from app.models import Answered
from app.store.database import Database

R = TypeVar("R")


@dataclass(frozen=True)
class Keyed:
    """A request that may come again: whose it is, its key, and what it asks."""

    actor: str
    key: str
    #: SHA-256 of what it asks.
    fingerprint: bytes


@dataclass(frozen=True)
class Kept:
    """An answer as it was given the first time."""

    status: int
    headers: Mapping[str, str]
    body: str


async def once(
    db: Database,
    vault: Vault,
    request: Keyed,
    *,
    work: Callable[[], Awaitable[R]],
    keep: Callable[[R], Kept | None],
) -> R | Kept:
    """Do the work and keep its answer in one commit, or find the answer that was kept.

    What `keep` makes None of is not kept, and neither is an error: it may be tried again. Raises
    InProgress while the first request is being answered, and Invalid for another one's key.
    """
    async with db.unit() as session:
        if not await store.idempotency.try_lock(session, request.actor, request.key):
            raise InProgress(hint="Repeat it in a second: it gets the answer of the first one.")
        found = await store.idempotency.find(session, request.actor, request.key)
        if found is not None:
            _check_same(request, found)
            body = vault.open(found.body, context=_context(request))
            return Kept(found.status, found.headers, body)
        result = await work()
        kept = keep(result)
        if kept is not None:
            await store.idempotency.add(session, _row(vault, request, kept))
        return result


def _row(vault: Vault, request: Keyed, kept: Kept) -> Answered:
    return Answered(
        actor=request.actor,
        key=request.key,
        fingerprint=request.fingerprint,
        status=kept.status,
        headers=dict(kept.headers),
        body=vault.seal(kept.body, context=_context(request)),
    )


def _check_same(request: Keyed, found: Answered) -> None:
    if found.fingerprint != request.fingerprint:
        raise Invalid(
            f"The Idempotency-Key {request.key} was sent with another request at"
            f" {found.created_at:%Y-%m-%d %H:%M:%S} UTC.",
            code="idempotency-key-reused",
            hint="Make a new key for each request that is not a repetition.",
        )


def _context(request: Keyed) -> str:
    return f"idempotency:{request.actor}:{request.key}"
