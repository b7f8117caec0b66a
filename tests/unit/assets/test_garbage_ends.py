"""Collections that fail half way, and stores that lie in a store."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.support.aging_store import AgingStore
from tests.support.built_folders import hashed, write_built
from worker.assets.problem import AssetError
from worker.assets.publishing.garbage import collect_garbage
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import LOCK, own_key

SHARED = hashed("a.css", b"a")
INNER = f"shop/{SHARED}"


@dataclass
class Failing(AgingStore):
    """Listing fails as a folder's does that has a loop of links, or as `error` says."""

    error: BaseException | None = None
    #: How many listings succeed before.
    spared: int = 0

    def list(self, prefix):
        if self.error and not self.spared:
            raise self.error
        self.spared -= 1
        return super().list(prefix)


async def collect(store, **wishes):
    wishes = {"keep": None, "keep_newest": None, **wishes}
    return await collect_garbage(
        store.opened(), grace=timedelta(0), dry_run=wishes.pop("dry_run", False), **wishes
    )


@pytest.fixture
def built(tmp_path):
    write_built(tmp_path / "built", {"a.css": b"a"})
    return tmp_path / "built"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError("Too many levels of symbolic links (os error 40)"), AssetError),
        (asyncio.CancelledError(), asyncio.CancelledError),
        (ValueError("of another kind"), ValueError),
    ],
)
async def test_a_collection_that_fails_leaves_no_lock(error, raised):
    store = Failing(error=error)
    with pytest.raises(raised):
        await collect(store)
    assert LOCK not in store.objects


async def test_a_collection_that_cannot_list_a_second_time_leaves_no_lock(built):
    store = Failing()
    await publish(built, store.opened(), "r1")
    store.objects[own_key("r1")] = (b"no manifest", store.now)
    with pytest.raises(AssetError) as refused:
        await collect(store)
    assert refused.value.problems[0].code == "bad-manifest"
    assert LOCK not in store.objects


async def test_a_collection_that_is_refused_leaves_the_lock_of_the_other_one():
    store = AgingStore()
    store.objects[LOCK] = (b"theirs", store.now)
    with pytest.raises(AssetError):
        await collect(store)
    assert store.objects[LOCK][0] == b"theirs"


async def test_why_a_collection_failed_is_told_when_its_lock_cannot_be_removed_either():
    @dataclass
    class Gone(Failing):
        async def delete_async(self, keys):
            raise OSError("Permission denied (os error 13)")

    with pytest.raises(AssetError, match="symbolic links"):
        await collect(Gone(error=OSError("symbolic links (os error 40)")))


async def test_a_manifest_that_cannot_be_fetched_is_a_problem_that_names_it(built):
    store = Denying()
    await publish(built, store.opened(), "r1")
    store.denied = own_key("r1")
    with pytest.raises(AssetError) as refused:
        await collect(store)
    assert refused.value.problems[0].file == own_key("r1")
    assert LOCK not in store.objects


@dataclass
class Denying(AgingStore):
    denied: str = ""

    async def get_async(self, key):
        if key == self.denied:
            raise OSError("Permission denied (os error 13)")
        return await super().get_async(key)


async def test_files_of_a_store_below_stay(tmp_path):
    """Both name the file; the inner one was published later."""
    store = AgingStore()
    write_built(tmp_path / "old", {"shop/a.css": b"a", "b.css": b"b"})
    write_built(tmp_path / "new", {"c.css": b"c"})
    await publish(tmp_path / "old", store.opened(), "old")
    nest(store)
    await publish(tmp_path / "new", store.opened(), "new")
    store.now += timedelta(hours=30)
    found = await collect(store, keep=["new"])
    assert found.removed == ("old",)
    assert found.names == (hashed("b.css", b"b"),)
    assert INNER in store.objects
    assert not [key for key in store.objects if "/removed-" in key]


def nest(store):
    """Puts the marks of a release of a store below this one."""
    store.objects["shop/_releases/keepme/assets.json"] = (b"{}", store.now)


async def test_a_publish_into_a_store_below_is_refused_and_leaves_nothing(tmp_path):
    store = AgingStore()
    nest(store)
    before = dict(store.objects)
    write_built(tmp_path / "outer", {"shop/a.css": b"a"})
    with pytest.raises(AssetError) as refused:
        await publish(tmp_path / "outer", store.opened(), "r1")
    problem = refused.value.problems[0]
    assert (problem.code, problem.file) == ("nested-store", INNER)
    assert refused.value.hint
    assert store.objects == before


async def test_a_folder_of_static_files_with_that_name_is_no_store(tmp_path):
    store = AgingStore()
    files = {"a/_releases/x.json": b"1", "a/b.css": b"2"}
    write_built(tmp_path / "built", files)
    await publish(tmp_path / "built", store.opened(), "r1")
    write_built(tmp_path / "next", {**files, "a/c.css": b"3"})
    assert (await publish(tmp_path / "next", store.opened(), "r2")).new == 1
