"""What a store holds, and which names its manifests and notes have said: read before deleting."""

import asyncio
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from worker.assets.manifest import DJANGO, HASH, RELEASES, is_hashed
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.locking import INTENT, INTENT_AGE, REMOVED
from worker.assets.publishing.published import (
    nested_in,
    objects_of,
    own_key,
    read_text,
    released_in,
)
from worker.assets.publishing.store import ObjectMeta, Store

_NOTE = re.compile(rf"{RELEASES}/([^/]+)/({INTENT}|{REMOVED})-[0-9a-f]{{{HASH}}}\.json")
_PROBE = re.compile(rf"{RELEASES}/gc-[0-9a-f]{{8}}\.json")
#: Put before the manifest that makes the release.
_HALF = re.compile(rf"{RELEASES}/([^/]+)/{re.escape(DJANGO)}")
_AT_ONCE = 16
_LOOKS = 5


@dataclass(frozen=True)
class Said:
    """A manifest as it stands in the store, and the keys of its objects."""

    text: bytes
    names: frozenset[str]


@dataclass(frozen=True)
class Survey:
    listed: Mapping[str, ObjectMeta]
    #: The store's clock.
    now: datetime
    #: Of published releases, by revision.
    manifests: dict[str, Said] = field(default_factory=dict)
    #: Of publishes under way or killed, and of releases that were removed, by key.
    notes: dict[str, Said] = field(default_factory=dict)

    def named_by(self, kept: Collection[str]) -> set[str]:
        """What must stay: files of kept releases and of publishes that may be under way."""
        under_way = [said.names for key, said in self.notes.items() if self._is_under_way(key)]
        return set().union(*(self.manifests[revision].names for revision in kept), *under_way)

    def known(self) -> dict[str, ObjectMeta]:
        """Every object in the store that a manifest or note names; nothing else is ours.

        What lies in a store below this one is not: its releases name it too.
        """
        nested = nested_in(self.listed)
        said = [*self.manifests.values(), *self.notes.values()]
        names = set().union(*(each.names for each in said))
        return {
            key: self.listed[key]
            for key in names
            if key in self.listed and is_hashed(key) and not key.startswith(nested)
        }

    def spent_notes(self, *, gone: Collection[str]) -> set[str]:
        """Notes that nothing is named by any more, and what killed programs left behind."""
        left = self.known().keys() - set(gone)
        named = set().union(*(said.names for said in self.manifests.values()))
        spent = {
            key
            for key, said in self.notes.items()
            if not self._is_under_way(key) and not (said.names & left) - named
        }
        return spent | self._left_behind()

    def _left_behind(self) -> set[str]:
        busy = {key.split("/")[1] for key in self.notes if self._is_under_way(key)}
        return {
            key
            for key in self.listed
            if _PROBE.fullmatch(key)
            or ((half := _HALF.fullmatch(key)) and half.group(1) not in {*self.manifests, *busy})
        }

    def _is_under_way(self, key: str) -> bool:
        match = _NOTE.fullmatch(key)
        is_intent = match is not None and match.group(2) == INTENT
        return is_intent and self.now - self.listed[key].modified < INTENT_AGE


async def read_survey(store: Store, listed: Mapping[str, ObjectMeta], now: datetime) -> Survey:
    """Raises AssetError when a manifest cannot be read: it may name any file."""
    for _ in range(_LOOKS):
        survey = Survey(listed, now)
        keys = {own_key(released.revision): released.revision for released in released_in(listed)}
        notes = [key for key in listed if _NOTE.fullmatch(key)]
        texts = await _texts(store, [*keys, *notes])
        if None not in texts.values():
            for key, text in texts.items():
                said = _said(text or b"", f"{store.url}/{key}")
                if key in keys:
                    survey.manifests[keys[key]] = said
                else:
                    survey.notes[key] = said
            return survey
        # A publish has ended meanwhile: its intent has gone and its manifest is there.
        listed = await store.list()
    message = f"{store.url} changes faster than it can be read"
    raise AssetError([Problem("store-changing", message)], "Run it again when it is quiet.")


async def _texts(store: Store, keys: Collection[str]) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    waiting = iter(keys)

    async def work() -> None:
        for key in waiting:
            found[key] = await store.get(key)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())
    except ExceptionGroup as several:
        # Not `except*`: before Python 3.11.4 that wraps what is raised in it in a group again.
        raise _first(several) from None
    return found


def _first(several: ExceptionGroup) -> Exception:
    first = several.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def _said(text: bytes, place: str) -> Said:
    return Said(text, frozenset(objects_of(read_text(text, place))))
