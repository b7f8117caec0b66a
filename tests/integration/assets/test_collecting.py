"""Garbage of real folders and of a real S3 server."""

import asyncio
from datetime import timedelta

import pytest

from tests.integration.assets.conftest import FILES
from tests.support.built_folders import hashed, write_built
from worker.assets.problem import AssetError
from worker.assets.publishing import headers, uploading
from worker.assets.publishing.garbage import collect_garbage
from worker.assets.publishing.inspecting import inspect
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import LOCK, list_revisions, read_manifest

OLD_CSS = hashed("css/site.css", FILES["css/site.css"])
CHANGED = {**FILES, "css/site.css": b"other"}


@pytest.fixture
def second(tmp_path):
    write_built(tmp_path / "second", CHANGED, copies=True)
    return tmp_path / "second"


async def collect(store, *, keep=None, newest=None, dry_run=False):
    return await collect_garbage(
        store, keep=keep, keep_newest=newest, grace=timedelta(0), dry_run=dry_run
    )


async def assert_whole(store, revision):
    manifest = await read_manifest(store, revision)
    assert await inspect(manifest, store, tell=lambda _: None) == []


async def test_what_only_the_removed_release_names_goes(built, second, store):
    await publish(built, store, "v1")
    await publish(second, store, "v2")
    found = await collect(store, keep=["v2"])
    assert (found.removed, found.kept) == (("v1",), ("v2",))
    assert found.names == (OLD_CSS, f"{OLD_CSS}.gz")
    await assert_whole(store, "v2")
    assert not [key for key in await store.list() if "v1" in key or OLD_CSS in key]


async def test_a_dry_run_puts_and_deletes_nothing(built, through_proxy, proxy):
    await publish(built, through_proxy, "v1")
    await publish(built, through_proxy, "v2")
    proxy.requests.clear()
    found = await collect(through_proxy, newest=1, dry_run=True)
    assert (found.removed, found.files) == (("v1",), 0)
    assert {request.method for request in proxy.requests} == {"GET"}


async def test_a_stranger_beside_the_release_stays(built, store):
    await publish(built, store, "v1")
    await publish(built, store, "v2")
    await store.put("django/site.0123456789ab.css", b"theirs", headers.of_record())
    await collect(store, newest=1)
    assert await store.get("django/site.0123456789ab.css") == b"theirs"


async def test_files_of_a_publish_under_way_are_kept(built, second, store, monkeypatch):
    """It reuses files of a release that is collected meanwhile."""
    await publish(built, store, "v1")
    await publish(second, store, "kept")
    put = uploading.Uploading.put

    async def put_after_a_collection(self, keys, *, at_once):
        monkeypatch.setattr(uploading.Uploading, "put", put)
        found = await collect(store, keep=["kept"])
        assert (found.removed, found.files) == (("v1",), 0)
        await put(self, keys, at_once=at_once)

    monkeypatch.setattr(uploading.Uploading, "put", put_after_a_collection)
    await publish(built, store, "v2")
    await assert_whole(store, "v2")
    await assert_whole(store, "kept")


async def test_a_publish_during_a_collection_is_refused_and_leaves_nothing(built, second, store):
    await publish(built, store, "v1")
    await store.put(LOCK, b"{}", headers.of_record())
    before = set(await store.list())
    with pytest.raises(AssetError) as refused:
        await publish(second, store, "v2")
    assert refused.value.problems[0].code == "collecting-garbage"
    assert set(await store.list()) == before


async def test_two_collections_at_the_same_time_do_no_harm(built, second, store):
    await publish(built, store, "v1")
    await publish(second, store, "v2")
    done = await asyncio.gather(
        collect(store, keep=["v2"]), collect(store, keep=["v2"]), return_exceptions=True
    )
    assert any(not isinstance(each, Exception) for each in done)
    assert [released.revision for released in await list_revisions(store)] == ["v2"]
    await assert_whole(store, "v2")
    assert LOCK not in await store.list()
