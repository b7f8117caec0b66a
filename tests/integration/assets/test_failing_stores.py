"""A store that fails: in passing, for good, or while it answers something else."""

import asyncio

import pytest

from tests.integration.assets.conftest import FILES
from tests.support.built_folders import hashed, write_built
from tests.support.faulty_proxy import Fault
from tests.support.object_store import BUCKET, READER, unhurried
from worker.assets.manifest import OWN
from worker.assets.problem import AssetError
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import read_manifest
from worker.assets.publishing.store import open_store

CSS = hashed("css/site.css", FILES["css/site.css"])
OWN_KEY = f"_releases/v1/{OWN}"


def failing(fault, *, times, method="PUT", name=CSS):
    """The first requests of a kind for one object."""
    left = iter(range(times))

    def rule(request):
        hit = request.method == method and request.path.partition("?")[0].endswith(name)
        return fault if hit and next(left, None) is not None else None

    return rule


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT, Fault.ALTER, Fault.LOSE_ANSWER])
async def test_a_put_that_fails_twice_is_tried_again(built, through_proxy, proxy, fault):
    proxy.rule = failing(fault, times=2)
    await publish(built, through_proxy, "v1")
    assert len([r for r in proxy.of("PUT") if r.path.endswith(CSS)]) == 3
    assert await through_proxy.get(CSS) == FILES["css/site.css"]


async def test_after_five_failures_the_key_is_named_and_there_is_no_manifest(
    built, through_proxy, proxy
):
    proxy.rule = failing(Fault.UNAVAILABLE, times=99)
    with pytest.raises(AssetError) as refused:
        await publish(built, through_proxy, "v1")
    problem = refused.value.problems[0]
    assert (problem.code, problem.file) == ("store-failed", CSS)
    assert "tried 5 times" in problem.message
    assert "503 SlowDown" in problem.message
    assert len([r for r in proxy.of("PUT") if r.path.endswith(CSS)]) == 5
    assert OWN_KEY not in await through_proxy.list()


async def test_the_next_run_after_a_failure_puts_only_what_is_missing(built, through_proxy, proxy):
    proxy.rule = failing(Fault.UNAVAILABLE, times=5)
    with pytest.raises(AssetError):
        await publish(built, through_proxy, "v1", at_once=1)
    there = set(await through_proxy.list())
    published = await publish(built, through_proxy, "v1")
    names = {hashed(path, content) for path, content in FILES.items()}
    assert published.new == len(names - there)
    assert await through_proxy.get(OWN_KEY) == (built / OWN).read_bytes()


async def test_a_part_of_a_large_file_that_fails_is_put_again(built, through_proxy, proxy):
    large = hashed("wasm/large.wasm", FILES["wasm/large.wasm"])
    proxy.rule = failing(Fault.UNAVAILABLE, times=2, name=large)
    await publish(built, through_proxy, "v1")
    assert await through_proxy.get(large) == FILES["wasm/large.wasm"]


async def test_a_manifest_whose_answer_was_lost_counts_as_published(built, through_proxy, proxy):
    proxy.rule = failing(Fault.LOSE_ANSWER, times=1, name=OWN_KEY)
    await publish(built, through_proxy, "v1")
    assert await through_proxy.get(OWN_KEY) == (built / OWN).read_bytes()


async def test_a_server_without_conditional_writes_still_writes_once(
    built, through_proxy, proxy, tmp_path
):
    proxy.rule = lambda request: Fault.UNKNOWN if b"if-none-match" in request.head.lower() else None
    await publish(built, through_proxy, "v1")
    write_built(tmp_path / "second", {"css/site.css": b"other"})
    with pytest.raises(AssetError) as refused:
        await publish(tmp_path / "second", through_proxy, "v1")
    assert refused.value.problems[0].code == "revision-differs"
    assert await through_proxy.get(OWN_KEY) == (built / OWN).read_bytes()


async def test_an_etag_that_is_no_md5_is_settled_by_the_bytes(built, through_proxy, proxy):
    proxy.rule = failing(Fault.ENCRYPTED, times=1)
    await publish(built, through_proxy, "v1")
    assert len([r for r in proxy.of("PUT") if r.path.endswith(CSS)]) == 1


async def refused_by(url, built, code):
    with pytest.raises(AssetError) as refused:
        await publish(built, unhurried(open_store(url)), "v1")
    assert refused.value.problems[0].code == code
    return refused.value


async def test_credentials_that_may_only_read_are_told_so(built, s3_environment, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    refused = await refused_by(f"s3://{BUCKET}/denied", built, "store-denied")
    assert "tried once" in str(refused)
    assert "Allow these credentials" in refused.hint


async def test_a_wrong_secret_is_told_from_a_missing_right(built, s3_environment, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up-secret")
    refused = await refused_by(f"s3://{BUCKET}/denied", built, "store-credentials")
    assert "made-up-secret" not in f"{refused}{refused.hint}"


async def test_a_bucket_that_is_not_there_is_told_so(s3_environment):
    store = unhurried(open_store("s3://no-such-bucket/prefix"))
    with pytest.raises(AssetError) as refused:
        await read_manifest(store, "v1")
    assert refused.value.problems[0].code == "store-missing"


async def test_an_endpoint_where_nobody_listens_names_the_variable(
    built, s3_environment, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    refused = await refused_by(f"s3://{BUCKET}/nowhere", built, "store-unreachable")
    assert "tried 5 times" in str(refused)
    assert "AWS_ENDPOINT_URL" in refused.hint


async def test_something_else_than_s3_is_told_so(built, s3_environment, monkeypatch):
    server = await asyncio.start_server(answer_with_a_page, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    refused = await refused_by(f"s3://{BUCKET}/nowhere", built, "store-not-s3")
    assert "AWS_ENDPOINT_URL" in refused.hint
    server.close()


async def answer_with_a_page(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    page = b"<!doctype html><title>Welcome</title>"
    writer.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n")
    writer.write(b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page))
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_a_folder_that_cannot_be_made_is_told_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AssetError) as refused:
        open_store((tmp_path / "file" / "store").as_uri())
    assert refused.value.problems[0].code == "store-folder"
