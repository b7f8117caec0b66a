"""A collection that takes longer than its lock lasts, and publishes that come meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.aging_store import BEGIN, AgingStore
from tests.support.built_folders import hashed, write_built
from worker.assets.manifest import read
from worker.assets.problem import AssetError
from worker.assets.publishing import locking
from worker.assets.publishing.garbage import collect_garbage
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import LOCK, django_key, objects_of, own_key

OWN_KEY, DJANGO_KEY = own_key("old"), django_key("old")
SHARED = hashed("2.css", b"2")
LATE = timedelta(hours=1, minutes=1)
TREES = {"old": (1, 2), "new": (2, 3), "kept": (9,)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """`old` and `new` share a file."""
    root = tmp_path_factory.mktemp("built")
    for name, numbers in TREES.items():
        write_built(root / name, {f"{number}.css": b"%d" % number for number in numbers})
    return root


@dataclass
class Slow(AgingStore):
    """`before` is awaited once, before the first request that `is_time` says yes to."""

    is_time: Callable[[str, tuple[str, ...]], bool] = lambda *_: False
    before: Callable[[], Awaitable[None]] | None = None
    deleted: list[str] = field(default_factory=list)

    async def put_async(self, key, content, **options):
        await self.reach("put", (key,))
        return await super().put_async(key, content, **options)

    async def delete_async(self, keys):
        await self.reach("delete", (keys,) if isinstance(keys, str) else tuple(keys))
        await super().delete_async(keys)
        self.deleted += keys

    async def reach(self, deed, keys):
        if self.before and self.is_time(deed, keys):
            before, self.before = self.before, None
            await before()


@pytest.fixture
async def store(folders, monkeypatch):
    """Two releases, 30 hours old."""
    store = Slow()
    for revision in ("old", "kept"):
        await publish(folders / revision, store.opened(), revision)
    store.now += timedelta(hours=30)
    store.deleted.clear()
    tie_clocks(monkeypatch, store)
    return store


def tie_clocks(monkeypatch, store):
    """The collection's own clock goes as that of the store."""

    def monotonic():
        return (store.now - BEGIN).total_seconds()

    monkeypatch.setattr(locking, "monotonic", monotonic)


async def collect(store):
    return await collect_garbage(
        store.opened(), keep=["kept"], keep_newest=None, grace=timedelta(hours=1), dry_run=False
    )


async def lose(store):
    with pytest.raises(AssetError) as refused:
        await collect(store)
    assert refused.value.problems[0].code == "lock-lost"
    assert refused.value.hint


def missing(store, revision):
    manifest = read(store.objects[own_key(revision)][0])
    return objects_of(manifest).keys() - store.objects.keys()


async def test_a_publish_that_takes_the_lock_over_stops_the_collection(store, folders, monkeypatch):
    """Its machine slept, so it does not know how late it is."""
    monkeypatch.setattr(locking, "monotonic", lambda: 0.0)

    async def overtake():
        store.now += LATE
        await publish(folders / "new", store.opened(), "new")

    store.is_time = lambda deed, keys: deed == "put" and "/removed-" in keys[0]
    store.before = overtake
    await lose(store)
    assert missing(store, "new") == set()


async def test_what_a_late_collection_deletes_during_a_publish_is_put_again(store, folders):
    """The request to delete was under way when the publish took the lock over."""
    publishing = None

    async def overtake():
        nonlocal publishing
        store.now += LATE
        store.is_time = lambda deed, keys: deed == "put" and keys[0].startswith("3.")
        listed, deleted = asyncio.Event(), asyncio.Event()

        async def wait():
            listed.set()
            await deleted.wait()

        store.before = wait
        publishing = asyncio.create_task(publish(folders / "new", store.opened(), "new"))
        await listed.wait()
        asyncio.get_running_loop().call_soon(deleted.set)

    store.is_time = lambda deed, keys: deed == "delete" and SHARED in keys
    store.before = overtake
    await lose(store)
    await publishing
    assert missing(store, "new") == set()


@pytest.mark.parametrize(
    ("deed", "part", "deleted"),
    [
        ("put", "/removed-", []),
        ("delete", "/assets.json", [OWN_KEY]),
        ("delete", "/staticfiles.json", [OWN_KEY, DJANGO_KEY]),
    ],
)
async def test_nothing_is_deleted_once_the_lock_could_be_taken_over(store, deed, part, deleted):
    async def dawdle():
        store.now += timedelta(minutes=51)

    store.is_time = lambda done, keys: done == deed and part in keys[0]
    store.before = dawdle
    await lose(store)
    assert store.deleted == [*deleted, LOCK]


async def test_notes_stay_when_the_files_took_too_long(store):
    async def dawdle():
        store.now += timedelta(minutes=51)

    store.is_time = lambda deed, keys: deed == "delete" and SHARED in keys
    store.before = dawdle
    await lose(store)
    assert SHARED not in store.objects
    assert [key for key in store.objects if "/removed-" in key]


async def test_a_collection_that_ran_out_of_time_leaves_no_lock(store):
    async def dawdle():
        store.now += timedelta(minutes=51)

    store.is_time = lambda deed, keys: deed == "delete" and SHARED in keys
    store.before = dawdle
    await lose(store)
    assert LOCK not in store.objects
    await collect(store)
    assert not [key for key in store.objects if "/removed-" in key]


async def test_a_publish_that_takes_a_day_publishes_nothing(store, folders):
    async def dawdle():
        store.now += timedelta(hours=23, minutes=51)

    store.is_time = lambda deed, keys: keys[0].startswith("3.")
    store.before = dawdle
    with pytest.raises(AssetError) as refused:
        await publish(folders / "new", store.opened(), "new")
    assert refused.value.problems[0].code == "intent-lost"
    assert own_key("new") not in store.objects


@dataclass
class Hurried(AgingStore):
    """Each request takes as long as the lot says, in minutes, and others go on meanwhile."""

    lot: tuple[int, ...] = ()
    asked: int = 0

    async def get_async(self, key):
        await self.pass_time()
        return await super().get_async(key)

    async def put_async(self, key, content, **options):
        await self.pass_time()
        return await super().put_async(key, content, **options)

    async def delete_async(self, keys):
        await self.pass_time()
        await super().delete_async(keys)

    async def pass_time(self):
        self.asked += 1
        minutes = self.lot[self.asked] if self.asked < len(self.lot) else 0
        self.now += timedelta(minutes=minutes)
        for _ in range(minutes):
            await asyncio.sleep(0)


@settings(deadline=None, max_examples=200)
@given(lot=st.lists(st.integers(0, 5), min_size=20, max_size=60))
def test_however_slow_the_store_is_a_release_has_all_its_files(folders, lot):
    async def run():
        store = Hurried()
        for revision in ("old", "kept"):
            await publish(folders / revision, store.opened(), revision)
        store.now += timedelta(hours=30)
        tie_clocks(monkeypatch, store)
        store.lot, store.asked = tuple(lot), 0
        await asyncio.gather(collect(store), late_publish(store, folders), return_exceptions=True)
        for revision in TREES:
            if own_key(revision) in store.objects:
                assert missing(store, revision) == set()

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(run())


async def late_publish(store, folders):
    """Comes again and again until it is let in."""
    for _ in range(20):
        try:
            await publish(folders / "new", store.opened(), "new", at_once=1)
        except AssetError:
            store.now += timedelta(minutes=10)
        else:
            return
