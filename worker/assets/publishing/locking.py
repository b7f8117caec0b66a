"""How publishing and collecting garbage keep apart in a store that has no locks.

A publish puts its intent and then lists the store; a collection puts its lock and then lists it.
So one of both sees the other: the publish then gives way, the collection keeps what it names.
How old a mark is, is told by the store's own clock: it has just written another one. How long its
maker may rely on it is counted here, and ends well before others may take it for left behind.
"""

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Self

from worker.assets.manifest import HASH, RELEASES
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing import headers
from worker.assets.publishing.published import LOCK
from worker.assets.publishing.store import ObjectMeta, Store

#: The manifest of a release that is being published, and of one whose files may go.
INTENT, REMOVED = "intent", "removed"
#: Older ones were left by a program that was killed.
INTENT_AGE, LOCK_AGE = timedelta(hours=24), timedelta(hours=1)
#: The longest request: five tries of a minute each and the pauses, and some more.
_LONGEST = timedelta(minutes=10)


def intent_key(revision: str) -> str:
    """Of a copy of the manifest, which only the publish that put it removes again."""
    return _note_key(revision, INTENT, secrets.token_hex(HASH // 2))


def removed_key(revision: str, text: bytes) -> str:
    """Of a copy of the manifest; the same one when a killed collection is done again."""
    return _note_key(revision, REMOVED, hashlib.sha256(text).hexdigest()[:HASH])


def _note_key(revision: str, what: str, unique: str) -> str:
    return f"{RELEASES}/{revision}/{what}-{unique}.json"


@dataclass(frozen=True)
class Declared:
    """What a publish has said it will do."""

    intent: str
    #: What is in the store since then.
    listed: dict[str, ObjectMeta]
    #: Whether the lock of a collection that ended, or should have, was taken away.
    has_taken_over: bool
    began: float

    @property
    def is_lasting(self) -> bool:
        return monotonic() - self.began < (INTENT_AGE - _LONGEST).total_seconds()


def _refuse_while_collecting(listed: Mapping[str, ObjectMeta], now: datetime) -> None:
    lock = listed.get(LOCK)
    if lock and now - lock.modified < LOCK_AGE:
        raise _collecting(f"since {lock.modified:%H:%M:%S} UTC")


def _collecting(since: str) -> AssetError:
    message = f"Garbage is being collected {since}: {LOCK} says so"
    hint = "Run this again when it is done; a lock older than an hour is taken over."
    return AssetError([Problem("collecting-garbage", message, file=LOCK)], hint)


async def declare(store: Store, revision: str, text: bytes) -> Declared:
    """Say what is about to be published. Raises AssetError (collecting-garbage)."""
    began = monotonic()
    intent = intent_key(revision)
    await store.put(intent, text, headers.of_record())
    listed = await store.list()
    if intent not in listed:
        raise intent_lost(intent)
    try:
        _refuse_while_collecting(listed, listed[intent].modified)
    except AssetError:
        await store.delete([intent])
        raise
    if LOCK in listed:
        await store.delete([LOCK])
    return Declared(intent, listed, LOCK in listed, began)


def intent_lost(intent: str) -> AssetError:
    """Garbage collection no longer heeds a publish, so files of it may be gone."""
    message = f"{intent} has gone, or counts no more: it lasts for {INTENT_AGE}"
    hint = "Publish again; what is stored already is not sent again."
    return AssetError([Problem("intent-lost", message, file=intent)], hint)


def _lost() -> AssetError:
    message = f"This collection has lost {LOCK}, or is about to: it lasts for {LOCK_AGE}"
    hint = "Collect again; what is removed already stays so."
    return AssetError([Problem("lock-lost", message, file=LOCK)], hint)


class Lock:
    """The lock of one collection; it goes with the collection, however that ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._token = f'{{"token": "{secrets.token_hex(8)}"}}\n'.encode()
        self._taken = monotonic()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, _: object) -> None:
        """Also after a request of `take` that failed: it may have been done."""
        # Why the collection ended is worth more than that its lock could not be removed either.
        with suppress(AssetError) if error else nullcontext():
            await self._release()

    async def take(self) -> dict[str, ObjectMeta]:
        """Returns what is in the store since then. Raises AssetError (collecting-garbage)."""
        made = await self._store.create(LOCK, self._token)
        # When the answer to the first try was lost, the lock that is there is this one.
        if not made and await self._store.get(LOCK) != self._token:
            await self._take_over()
        listed = await self._store.list()
        if LOCK not in listed:
            raise _lost()
        return listed

    async def check(self) -> None:
        """Before each request to delete.

        Raises AssetError (lock-lost): a publish that nothing is known of may be under way, or
        may begin before that request has ended.
        """
        if monotonic() - self._taken > (LOCK_AGE - _LONGEST).total_seconds():
            raise _lost()
        if await self._store.get(LOCK) != self._token:
            raise _lost()

    async def _release(self) -> None:
        if await self._store.get(LOCK) == self._token:
            await self._store.delete([LOCK])

    async def _take_over(self) -> None:
        """Of a collection that was killed; a second lock file tells what time it is there."""
        probe = f"{RELEASES}/gc-{secrets.token_hex(4)}.json"
        await self._store.put(probe, self._token, headers.of_record())
        listed = await self._store.list(RELEASES)
        await self._store.delete([probe])
        _refuse_while_collecting(listed, listed[probe].modified)
        await self._store.delete([LOCK])
        self._taken = monotonic()
        if not await self._store.create(LOCK, self._token):
            raise _collecting("by another one that began now")
