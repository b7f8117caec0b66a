"""What a publish leaves in a folder and in an S3 bucket."""

import asyncio
import gzip
import hashlib
import os
import shlex
import stat
from dataclasses import replace

import pytest

from tests.integration.assets.conftest import FILES
from tests.support.built_folders import hashed, write_built
from worker.assets.manifest import DJANGO, OWN, Asset, Copy, Manifest
from worker.assets.problem import AssetError
from worker.assets.publishing import headers
from worker.assets.publishing.checking import hint_of
from worker.assets.publishing.inspecting import inspect
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import list_revisions, read_manifest
from worker.assets.publishing.store import open_store

V1, V2 = f"_releases/v1/{OWN}", f"_releases/v2/{OWN}"


async def test_every_object_has_the_bytes_that_the_manifest_says(built, store):
    published = await publish(built, store, "v1")
    manifest = await read_manifest(store, "v1")
    for asset in manifest.files.values():
        content = await store.get(asset.name)
        assert hashlib.sha256(content).hexdigest() == asset.sha256
        packed = await store.get(f"{asset.name}.gz")
        assert hashlib.sha256(packed).hexdigest() == asset.copies["gzip"].sha256
    assert (published.files, published.new, published.reused) == (len(FILES), len(FILES), 0)
    assert published.bytes == published.new_bytes == sum(map(len, FILES.values()))


async def test_both_manifests_are_those_of_the_build(built, store):
    await publish(built, store, "v1")
    assert await store.get(V1) == (built / OWN).read_bytes()
    assert await store.get(f"_releases/v1/{DJANGO}") == (built / DJANGO).read_bytes()
    assert [released.revision for released in await list_revisions(store)] == ["v1"]


async def test_nothing_but_hashed_files_and_manifests_is_there_afterwards(built, store):
    (built / "css/site.css").write_text("not hashed")
    await publish(built, store, "v1")
    names = {hashed(path, content) for path, content in FILES.items()}
    copies = {f"{name}.gz" for name in names}
    assert set(await store.list()) == {*names, *copies, V1, f"_releases/v1/{DJANGO}"}


async def test_s3_objects_tell_browsers_what_they_are(built, s3_store):
    await publish(built, s3_store, "v1")
    for path, content in FILES.items():
        name = hashed(path, content)
        told = (await s3_store.inner.get_async(name)).attributes
        assert told["Cache-Control"] == "public, max-age=31536000, immutable"
        assert told["Content-Type"] == headers.content_type(path)
        assert told["sha256"] == hashlib.sha256(content).hexdigest()
        assert "Content-Encoding" not in told
        packed = (await s3_store.inner.get_async(f"{name}.gz")).attributes
        assert packed["Content-Encoding"] == "gzip"
        assert packed["Content-Type"] == headers.content_type(path)


async def test_manifests_are_not_called_immutable(built, s3_store):
    await publish(built, s3_store, "v1")
    told = (await s3_store.inner.get_async(V1)).attributes
    assert (told["Cache-Control"], told["Content-Type"]) == ("no-cache", "application/json")


async def test_a_second_release_touches_nothing_of_the_first(built, store, tmp_path):
    await publish(built, store, "v1")
    before = await listing(store)
    changed = {**FILES, "css/site.css": b"body { color: blue }\n"}
    write_built(tmp_path / "second", changed, copies=True)
    published = await publish(tmp_path / "second", store, "v2")
    after = await listing(store)
    assert {key: after[key] for key in before} == before
    assert (published.new, published.reused) == (1, len(FILES) - 1)
    for asset in (await read_manifest(store, "v1")).files.values():
        assert hashlib.sha256(await store.get(asset.name)).hexdigest() == asset.sha256


async def listing(store):
    return {
        item["path"]: (item["e_tag"], item["last_modified"], item["size"])
        for item in await store.inner.list().collect_async()
    }


async def test_publishing_the_same_again_puts_nothing(built, through_proxy, proxy):
    await publish(built, through_proxy, "v1")
    proxy.requests.clear()
    published = await publish(built, through_proxy, "v1")
    assert published.unchanged
    assert (published.new, published.reused) == (0, len(FILES))
    assert [request.method for request in proxy.requests] == ["GET", "GET"]


async def test_an_object_that_was_lost_is_put_again(built, store):
    await publish(built, store, "v1")
    lost = hashed("css/site.css", FILES["css/site.css"])
    await store.delete([lost])
    published = await publish(built, store, "v1")
    assert (published.new, published.unchanged) == (1, False)
    assert await store.get(lost) == FILES["css/site.css"]


async def test_a_revision_with_other_files_is_refused_and_nothing_is_overwritten(
    built, store, tmp_path
):
    await publish(built, store, "v1")
    before = await listing(store)
    write_built(tmp_path / "second", {**FILES, "css/site.css": b"other"}, copies=True)
    with pytest.raises(AssetError) as refused:
        await publish(tmp_path / "second", store, "v1")
    assert refused.value.problems[0].code == "revision-differs"
    assert "1 of 6 differ (css/site.css)" in str(refused.value)
    assert await listing(store) == before


async def test_equal_publishes_at_the_same_time_both_succeed(built, store):
    both = await asyncio.gather(publish(built, store, "v1"), publish(built, store, "v1"))
    assert [published.manifest_key for published in both] == [V1, V1]
    assert await store.get(V1) == (built / OWN).read_bytes()


async def test_of_different_publishes_at_the_same_time_one_is_refused(built, store, tmp_path):
    write_built(tmp_path / "second", {**FILES, "css/site.css": b"other"}, copies=True)
    folders = [built, tmp_path / "second"]
    done = await asyncio.gather(
        *(publish(folder, store, "v1") for folder in folders), return_exceptions=True
    )
    refused = [isinstance(each, AssetError) for each in done]
    assert sorted(refused) == [False, True]
    winner = folders[refused.index(False)]
    assert await store.get(V1) == (winner / OWN).read_bytes()
    assert await store.get(f"_releases/v1/{DJANGO}") == (winner / DJANGO).read_bytes()


async def test_a_missing_file_is_refused_before_anything_is_put(built, store):
    name = hashed("img/logo.svg", FILES["img/logo.svg"])
    (built / name).unlink()
    await refused_with(built, store, "file-missing", name)
    assert await store.list() == {}


async def test_a_file_of_another_size_is_refused_before_anything_is_put(built, store):
    name = hashed("img/logo.svg", FILES["img/logo.svg"])
    (built / name).write_bytes(b"longer than it was")
    await refused_with(built, store, "file-altered", name)
    assert await store.list() == {}


@pytest.mark.parametrize("path", ["img/logo.svg", "wasm/large.wasm"])
async def test_a_file_with_other_bytes_is_not_published(built, store, path):
    name = hashed(path, FILES[path])
    (built / name).write_bytes(b"?" + FILES[path][1:])
    await refused_with(built, store, "file-altered", name)
    assert name not in await store.list()
    assert await store.get(V1) is None


async def refused_with(built, store, code, name):
    with pytest.raises(AssetError) as refused:
        await publish(built, store, "v1")
    problems = refused.value.problems
    assert [(problem.code, problem.file) for problem in problems] == [(code, name)]


async def test_a_damaged_object_is_reported_with_the_command_that_removes_it(built, store):
    name = hashed("css/site.css", FILES["css/site.css"])
    await store.put(name, b"short", headers.of_record())
    with pytest.raises(AssetError) as refused:
        await publish(built, store, "v1")
    assert refused.value.problems[0].code == "damaged-object"
    assert name in refused.value.hint
    assert await store.get(name) == b"short"


async def test_the_command_that_removes_an_object_runs_nothing_else(tmp_path, store):
    odd = "$(touch pwn)'; rm x'.css"
    write_built(tmp_path / "odd", {odd: b"a"})
    name = hashed(odd, b"a")
    await store.put(name, b"short", headers.of_record())
    with pytest.raises(AssetError) as refused:
        await publish(tmp_path / "odd", store, "v1")
    command = refused.value.hint.partition(": ")[2]
    assert shlex.split(command)[-1].endswith(f"/{name}")


async def test_a_folder_that_is_no_build_says_how_to_make_one(tmp_path, store):
    with pytest.raises(AssetError) as refused:
        await publish(tmp_path, store, "v1")
    assert refused.value.problems[0].code == "not-built"
    assert "worker.assets build" in refused.value.hint


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


async def test_files_of_a_directory_store_are_readable_whatever_the_umask(built, tmp_path, umask):
    umask(0o077)
    store = open_store((tmp_path / "store").as_uri())
    await publish(built, store, "v1")
    paths = list((tmp_path / "store").rglob("*"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) & 0o055 for path in paths if path.is_dir()}
    assert (modes, folders) == ({0o644}, {0o055})


async def test_folders_that_a_directory_store_makes_may_be_entered(tmp_path, umask):
    (tmp_path / "theirs").mkdir(mode=0o700)
    umask(0o077)
    open_store((tmp_path / "theirs/new/store").as_uri())
    modes = [
        stat.S_IMODE((tmp_path / path).stat().st_mode)
        for path in ("theirs", "theirs/new", "theirs/new/store")
    ]
    assert modes == [0o700, 0o755, 0o755]


async def test_an_object_that_another_release_wants_so_is_not_to_be_removed(tmp_path, store):
    """The same file, packed by another version of a compressor."""
    name = await publish_packed(tmp_path, store, "v1", level=1)
    with pytest.raises(AssetError) as refused:
        await publish_packed(tmp_path, store, "v2", level=9)
    problem = refused.value.problems[0]
    assert (problem.code, problem.file) == ("name-taken", name)
    assert "release v1" in problem.message
    assert "rm " not in refused.value.hint
    assert "another base URL" in refused.value.hint


async def publish_packed(tmp_path, store, revision, *, level):
    """Returns the key of the copy."""
    content = FILES["css/site.css"] * 9
    manifest = write_built(tmp_path / revision, {"css/site.css": content}, copies=True)
    asset = manifest.files["css/site.css"]
    packed = gzip.compress(content, level, mtime=0) + b"\0" * level
    (tmp_path / revision / f"{asset.name}.gz").write_bytes(packed)
    copies = {"gzip": Copy(len(packed), hashlib.sha256(packed).hexdigest())}
    told = Manifest({"css/site.css": replace(asset, copies=copies)})
    (tmp_path / revision / OWN).write_bytes(told.as_json())
    await publish(tmp_path / revision, store, revision)
    return f"{asset.name}.gz"


async def test_a_release_that_reuses_a_damaged_object_is_found_and_mended(built, store):
    """Its size is right, so only who reads it back can tell."""
    await publish(built, store, "v1")
    name = hashed("css/site.css", FILES["css/site.css"])
    await store.put(name, FILES["css/site.css"].swapcase(), headers.of_record())
    assert (await publish(built, store, "v2")).new == 0
    manifest = await read_manifest(store, "v2")
    (problem,) = await inspect(manifest, store, tell=lambda _: None)
    assert (problem.code, problem.file) == ("damaged-object", name)
    assert hint_of([problem]).startswith("Remove what is damaged from the store, then publish")
    await store.delete([name])
    assert (await publish(built, store, "v2")).new == 1
    assert await inspect(manifest, store, tell=lambda _: None) == []


async def test_verifying_tells_what_another_release_wants_from_what_is_damaged(tmp_path, store):
    name = hashed("a.css", b"a")
    write_built(tmp_path / "one", {"a.css": b"a"})
    await publish(tmp_path / "one", store, "v1")
    digest = hashlib.sha256(b"b").hexdigest()
    other = Manifest({"a.css": Asset(name, 1, digest)})
    (problem,) = await inspect(other, store, tell=lambda _: None)
    assert (problem.code, problem.file) == ("name-taken", name)
    assert "release v1" in problem.message
