"""How publishing and collecting garbage keep apart in a store that has no locks.

A publish puts its intent and then lists the store; a collection puts its lock and then lists it.
So one of both sees the other: the publish then gives way, the collection keeps what it names.
Ages are told by the store's own clock.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from worker.assets.problem import AssetError, Problem
from worker.assets.publishing import headers
from worker.assets.publishing.published import LOCK, RELEASES
from worker.assets.publishing.store import Listed, Store

#: The manifest of a release that is being published, and of one whose files may go.
INTENT, REMOVED = "intent", "removed"
_LOOKS = 5
#: Older ones were left by a program that was killed.
INTENT_AGE, LOCK_AGE = timedelta(hours=24), timedelta(hours=1)


def refuse_while_collecting(listed: Mapping[str, Listed], now: datetime) -> None:
    """Raises AssetError (collecting-garbage)."""
    lock = listed.get(LOCK)
    if lock and now - lock.modified < LOCK_AGE:
        raise _collecting(f"since {lock.modified:%H:%M:%S} UTC")


def _collecting(since: str) -> AssetError:
    message = f"Garbage is being collected {since}: {LOCK} says so"
    hint = "Run this again when it is done; a lock older than an hour is taken over."
    return AssetError([Problem("collecting-garbage", message, file=LOCK)], hint)


async def declare(store: Store, intent: str, text: bytes) -> dict[str, Listed]:
    """Say what is about to be published; returns what is in the store since then."""
    for _ in range(_LOOKS):
        await store.put(intent, text, headers.of_record())
        listed = await store.list()
        # An equal publish that ends just now takes away the intent that both share.
        if intent in listed:
            break
    else:
        raise intent_lost(intent)
    try:
        refuse_while_collecting(listed, listed[intent].modified)
    except AssetError:
        await store.delete([intent])
        raise
    if LOCK in listed:
        await store.delete([LOCK])
    return listed


def intent_lost(intent: str) -> AssetError:
    """Garbage collection no longer knew of a publish, so files of it may be gone."""
    message = f"{intent} has gone: this publish took longer than {INTENT_AGE}"
    hint = "Publish again; what is stored already is not sent again."
    return AssetError([Problem("intent-lost", message, file=intent)], hint)


def _lost() -> AssetError:
    message = f"{LOCK} is another's now: this collection took longer than {LOCK_AGE}"
    return AssetError([Problem("lock-lost", message, file=LOCK)], "Collect again.")


class Lock:
    """The lock of one collection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._token = f'{{"token": "{secrets.token_hex(8)}"}}\n'.encode()

    async def take(self) -> dict[str, Listed]:
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
        """Raises AssetError (lock-lost): a publish may be under way that nothing is known of."""
        if await self._store.get(LOCK) != self._token:
            raise _lost()

    async def release(self) -> None:
        if await self._store.get(LOCK) == self._token:
            await self._store.delete([LOCK])

    async def _take_over(self) -> None:
        """Of a collection that was killed; a second lock file tells what time it is there."""
        probe = f"{RELEASES}/gc-{secrets.token_hex(4)}.json"
        await self._store.put(probe, self._token, headers.of_record())
        listed = await self._store.list(RELEASES)
        await self._store.delete([probe])
        refuse_while_collecting(listed, listed[probe].modified)
        await self._store.delete([LOCK])
        if not await self._store.create(LOCK, self._token):
            raise _collecting("by another one that began now")
