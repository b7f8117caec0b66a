"""Whatever is published, killed and collected: a release that is there has all of its files."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.aging_store import AgingStore, Killed
from tests.support.built_folders import write_built
from worker.assets.manifest import read
from worker.assets.problem import AssetError
from worker.assets.publishing import locking
from worker.assets.publishing.garbage import collect_garbage
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import LOCK, django_key, objects_of, own_key

REVISIONS = ("r1", "r2", "r3")
#: What a release can be made of; they share files.
TREES = [{f"{n}.css": b"%d" % n for n in numbers} for numbers in ((1, 2), (2, 3), (1, 3, 4), (5,))]

LIVES = st.none() | st.integers(0, 25)
PUBLISH = st.tuples(
    st.just("publish"), st.sampled_from(REVISIONS), st.integers(0, len(TREES) - 1), LIVES
)
COLLECT = st.tuples(st.just("collect"), st.sets(st.sampled_from(REVISIONS)), LIVES)
WAIT = st.tuples(st.just("wait"), st.sampled_from([1, 2, 30]))


@pytest.fixture(scope="module")
def folders():
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(len(TREES))]
        for folder, files in zip(folders, TREES, strict=True):
            write_built(folder, files)
        yield folders


def there(store):
    return {revision for revision in REVISIONS if own_key(revision) in store.objects}


def assert_whole(store):
    for revision in there(store):
        manifest = read(store.objects[own_key(revision)][0])
        assert objects_of(manifest).keys() <= store.objects.keys()


async def take(store, folders, step):
    what, *rest = step
    try:
        if what == "publish":
            revision, tree, store.lives = rest
            await publish(folders[tree], store.opened(), revision, at_once=2)
        elif what == "collect":
            keep, store.lives = rest[0] & there(store), rest[1]
            await collect(store, keep)
        else:
            store.now += timedelta(hours=rest[0])
    except (AssetError, Killed, BaseExceptionGroup):
        return
    finally:
        store.revive()


async def collect(store, keep, *, grace=timedelta(hours=1), dry_run=False):
    return await collect_garbage(
        store.opened(), keep=keep, keep_newest=None, grace=grace, dry_run=dry_run
    )


@settings(deadline=None, max_examples=150)
@given(steps=st.lists(PUBLISH | COLLECT | WAIT, max_size=12))
def test_no_release_ever_loses_a_file(folders, steps):
    async def run():
        store = AgingStore()
        for step in steps:
            kept = there(store) if step[0] != "collect" else there(store) & step[1]
            await take(store, folders, step)
            assert kept <= there(store)
            assert_whole(store)

    asyncio.run(run())


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(PUBLISH | COLLECT | WAIT, max_size=10))
def test_nothing_stays_for_ever(folders, steps):
    async def run():
        store = AgingStore()
        for step in steps:
            await take(store, folders, step)
        for _ in range(2):
            store.now += timedelta(hours=30)
            await collect(store, set())
        assert not store.objects

    asyncio.run(run())


@dataclass
class Turns(AgingStore):
    """Before each request, who comes next is drawn by lot."""

    lot: Iterator[int] = field(default_factory=lambda: iter(()))

    async def get_async(self, key):
        await self.turn()
        return await super().get_async(key)

    async def put_async(self, key, content, **options):
        await self.turn()
        return await super().put_async(key, content, **options)

    async def delete_async(self, keys):
        await self.turn()
        await super().delete_async(keys)

    async def turn(self):
        """Stands back a few times, so that the other one overtakes."""
        for _ in range(next(self.lot, 0)):
            await asyncio.sleep(0)


@settings(deadline=None, max_examples=200)
@given(lot=st.lists(st.integers(0, 40), max_size=60))
def test_a_publish_and_a_collection_at_the_same_time_do_no_harm(folders, lot):
    async def run():
        store = Turns()
        await publish(folders[0], store.opened(), "r1")
        store.now += timedelta(hours=30)
        store.lot = iter(lot)
        await asyncio.gather(
            publish(folders[1], store.opened(), "r2", at_once=1),
            collect(store, set()),
            return_exceptions=True,
        )
        assert_whole(store)

    asyncio.run(run())


@settings(deadline=None, max_examples=200)
@given(lot=st.lists(st.integers(0, 40), max_size=60))
def test_equal_publishes_both_succeed_however_they_overlap(folders, lot):
    async def run():
        store = Turns(lot=iter(lot))
        works = (publish(folders[0], store.opened(), "r1", at_once=1) for _ in range(2))
        await asyncio.gather(*works)
        assert there(store) == {"r1"}
        assert_whole(store)

    asyncio.run(run())


@settings(deadline=None, max_examples=200)
@given(lot=st.lists(st.integers(0, 40), max_size=60))
def test_of_different_publishes_one_is_refused_however_they_overlap(folders, lot):
    async def run():
        store = Turns(lot=iter(lot))
        works = (publish(folders[n], store.opened(), "r1", at_once=1) for n in range(2))
        done = await asyncio.gather(*works, return_exceptions=True)
        assert sorted(isinstance(each, AssetError) for each in done) == [False, True]
        manifest = read(store.objects[own_key("r1")][0])
        assert store.objects[django_key("r1")][0] == manifest.as_django()
        assert_whole(store)

    asyncio.run(run())


async def published(folders, *trees):
    """Releases r1, r2 ..., 30 hours old."""
    store = AgingStore()
    for revision, tree in zip(REVISIONS, trees, strict=False):
        await publish(folders[tree], store.opened(), revision)
    store.now += timedelta(hours=30)
    return store


async def test_only_what_no_kept_release_names_goes(folders):
    store = await published(folders, 0, 1)
    found = await collect(store, {"r2"})
    assert (found.removed, found.kept, found.files) == (("r1",), ("r2",), 1)
    assert there(store) == {"r2"}
    assert_whole(store)


async def test_a_dry_run_says_the_same_and_changes_nothing(folders):
    store = await published(folders, 0, 1)
    before = dict(store.objects)
    planned = await collect(store, {"r2"}, dry_run=True)
    assert store.objects == before
    done = await collect(store, {"r2"})
    assert (planned.names, planned.bytes) == (done.names, done.bytes)


async def test_without_wishes_every_release_is_kept(folders):
    store = await published(folders, 0, 1)
    found = await collect_garbage(
        store.opened(), keep=None, keep_newest=None, grace=timedelta(0), dry_run=False
    )
    assert (found.removed, found.files) == ((), 0)


async def test_the_newest_releases_are_kept(folders):
    store = await published(folders, 0, 1, 3)
    found = await collect_garbage(
        store.opened(), keep=None, keep_newest=2, grace=timedelta(0), dry_run=False
    )
    assert found.kept == ("r2", "r3")


async def test_a_release_younger_than_the_grace_is_kept(folders):
    store = await published(folders, 0)
    await publish(folders[1], store.opened(), "r2")
    found = await collect(store, set())
    assert (found.kept, found.removed) == (("r2",), ("r1",))


async def test_objects_of_strangers_stay(folders):
    store = await published(folders, 0)
    strange = ["photo.0123456789ab.jpg", "robots.txt", "other/_releases/r1/assets.json"]
    for key in strange:
        store.objects[key] = (b"theirs", store.objects[own_key("r1")][1])
    await collect(store, set())
    assert store.objects.keys() == set(strange)


async def test_a_kept_release_that_is_not_there_stops_the_collection(folders):
    store = await published(folders, 0)
    before = dict(store.objects)
    with pytest.raises(AssetError) as refused:
        await collect(store, {"r11"})
    problem = refused.value.problems[0]
    assert (problem.code, problem.nearest) == ("no-such-release", ("r1",))
    assert store.objects == before


async def test_a_manifest_that_cannot_be_read_stops_the_collection(folders):
    store = await published(folders, 0, 1)
    store.objects[own_key("r2")] = (b"{}", store.objects[own_key("r2")][1])
    before = dict(store.objects)
    with pytest.raises(AssetError) as refused:
        await collect(store, {"r2"})
    assert refused.value.problems[0].code == "bad-manifest"
    assert store.objects == before


async def test_a_young_lock_refuses_a_publish_which_leaves_no_intent(folders):
    store = await published(folders, 0)
    store.objects[LOCK] = (b"{}", store.now)
    before = dict(store.objects)
    with pytest.raises(AssetError) as refused:
        await publish(folders[1], store.opened(), "r2")
    assert refused.value.problems[0].code == "collecting-garbage"
    assert store.objects == before


async def test_a_refused_publish_leaves_the_intent_of_an_equal_one(folders):
    store = await published(folders, 0)
    text = (folders[1] / "assets.json").read_bytes()
    under_way = await locking.declare(store.opened(), "r2", text)
    store.objects[LOCK] = (b"{}", store.now)
    with pytest.raises(AssetError):
        await publish(folders[1], store.opened(), "r2")
    assert [key for key in store.objects if "/intent-" in key] == [under_way.intent]


@pytest.mark.parametrize("skew", [timedelta(days=-400), timedelta(days=400)])
async def test_whether_a_lock_is_old_does_not_depend_on_this_machine(folders, skew):
    store = await published(folders, 0)
    store.now += skew
    store.objects[LOCK] = (b"{}", store.now - timedelta(hours=2))
    await publish(folders[0], store.opened(), "r1")
    store.objects[LOCK] = (b"{}", store.now)
    with pytest.raises(AssetError) as refused:
        await publish(folders[0], store.opened(), "r1")
    assert refused.value.problems[0].code == "collecting-garbage"


async def test_a_young_lock_refuses_a_second_collection(folders):
    store = await published(folders, 0)
    store.objects[LOCK] = (b"{}", store.now)
    with pytest.raises(AssetError) as refused:
        await collect(store, set())
    assert refused.value.problems[0].code == "collecting-garbage"


@pytest.mark.parametrize("next_one", ["publish", "collect"])
async def test_a_lock_that_was_left_behind_is_taken_over(folders, next_one):
    store = await published(folders, 0)
    store.objects[LOCK] = (b"{}", store.now - timedelta(hours=2))
    if next_one == "publish":
        await publish(folders[1], store.opened(), "r2")
    else:
        await collect(store, {"r1"})
    assert LOCK not in store.objects


async def test_a_server_that_ignores_conditions_still_writes_a_release_once(folders):
    store = AgingStore(ignores_conditions=True)
    await publish(folders[0], store.opened(), "r1")
    before = store.objects[own_key("r1")]
    with pytest.raises(AssetError) as refused:
        await publish(folders[1], store.opened(), "r1")
    assert refused.value.problems[0].code == "revision-differs"
    assert store.objects[own_key("r1")] == before
