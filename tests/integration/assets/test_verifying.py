"""Releases that are asked for through HTTP, from servers right and wrong."""

import asyncio
import gzip
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tests.support.built_folders import hashed, write_built
from worker.assets.manifest import Asset, Manifest
from worker.assets.problem import AssetError
from worker.assets.publishing import checking, headers
from worker.assets.publishing.checking import check
from worker.assets.publishing.inspecting import inspect
from worker.assets.publishing.publish import publish
from worker.assets.publishing.published import read_manifest
from worker.assets.publishing.store import PART
from worker.assets.publishing.verifying import verify

FILES = {"css/site.css": b"body { color: red }\n" * 90, "img/a b.png": b"\x89PNG", "x.js": b"1;\n"}
CSS = hashed("css/site.css", FILES["css/site.css"])
RIGHT = {"Cache-Control": headers.IMMUTABLE}


@dataclass
class Site:
    """A web server; `change` may put another answer in place of the right one."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    change: object = None
    #: The file that it is about.
    changed: str = CSS
    asked: list[str] = field(default_factory=list)
    busy: set[asyncio.Task] = field(default_factory=set)

    async def serve(self, reader, writer):
        self.busy.add(asyncio.current_task())
        with suppress(OSError):
            while head := await reader.readline():
                await self.answer(head, reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def answer(self, head, reader, writer):
        path, packed = head.split()[1].decode(), False
        while (line := await reader.readline()).strip():
            packed |= line.lower().strip() == b"accept-encoding: gzip"
        self.asked.append(path)
        answer = self.answers.get(path, (404, {}, b"no"))
        if self.change and path.endswith(self.changed):
            answer = self.change(answer, packed) or answer
        await send(writer, *answer)

    @asynccontextmanager
    async def running(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/static"
        server.close()
        await asyncio.gather(*self.busy)


async def send(writer, status, told, body):
    told = {**told, "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in told.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


@pytest.fixture
def manifest(tmp_path):
    return write_built(tmp_path / "built", FILES, copies=True)


@pytest.fixture
def site():
    return Site(
        {
            f"/static/{hashed(path, content)}".replace(" ", "%20"): (
                200,
                {**RIGHT, "Content-Type": headers.content_type(path)},
                content,
            )
            for path, content in FILES.items()
        }
    )


async def problems(manifest, site):
    async with site.running() as url:
        return await verify(manifest, url, pause=0.0)


async def test_a_release_that_is_served_as_published_has_no_problems(manifest, site):
    assert await problems(manifest, site) == []


async def test_compressed_copies_are_compared_where_the_server_offers_them(manifest, site):
    def changed(answer, packed):
        told = {**answer[1], "Content-Encoding": "gzip"}
        return (200, told, gzip.compress(b"another")) if packed else None

    site.change = changed
    (problem,) = await problems(manifest, site)
    assert (problem.code, problem.file) == ("altered", CSS)
    assert "sent as gzip" in problem.message


async def test_a_file_without_a_copy_excuses_no_other(manifest, site):
    """The first file in order is sent as it is, the last as gzip of other bytes."""
    last = hashed("x.js", FILES["x.js"])

    def changed(answer, packed):
        told = {**answer[1], "Content-Encoding": "gzip"}
        return (200, told, gzip.compress(b"2;\n")) if packed else None

    site.change, site.changed = changed, last
    async with site.running() as url:
        (problem,) = await verify(manifest, url, at_once=1, pause=0.0)
    assert (problem.code, problem.file) == ("altered", last)


async def test_a_copy_that_unpacks_to_the_file_is_right(manifest, site):
    def changed(answer, packed):
        told = {**answer[1], "Content-Encoding": "gzip"}
        return (200, told, gzip.compress(answer[2], 1)) if packed else None

    site.change = changed
    assert await problems(manifest, site) == []


@pytest.mark.parametrize(
    ("code", "words", "change"),
    [
        ("not-served", "answered 404", lambda status, told, body: (404, told, b"no")),
        (
            "not-served",
            "302 (to https://elsewhere.example/)",
            lambda status, told, body: (302, {"Location": "https://elsewhere.example/"}, b""),
        ),
        ("altered", "sha256", lambda status, told, body: (200, told, body[:-1] + b"?")),
        ("altered", "more than", lambda status, told, body: (200, told, body * 9)),
        ("altered", "3 bytes", lambda status, told, body: (200, told, body[:3])),
        (
            "not-immutable",
            "'no-store'",
            lambda status, told, body: (200, {**told, "Cache-Control": "no-store"}, body),
        ),
        (
            "wrong-type",
            "'text/plain'",
            lambda status, told, body: (200, {**told, "Content-Type": "text/plain"}, body),
        ),
    ],
)
async def test_a_wrong_answer_is_named_with_what_was_wanted(manifest, site, code, words, change):
    site.change = lambda answer, packed: change(*answer)
    (problem,) = await problems(manifest, site)
    assert (problem.code, problem.file) == (code, CSS)
    assert words in problem.message


async def test_a_server_that_fails_in_passing_is_asked_again(manifest, site):
    failures = iter([503, 429])
    site.change = lambda answer, packed: (next(failures, 200), answer[1], answer[2])
    assert await problems(manifest, site) == []


async def test_a_server_that_fails_five_times_is_given_up(manifest, site):
    site.change = lambda answer, packed: (503, {}, b"")
    (problem,) = await problems(manifest, site)
    assert "answered 503" in problem.message
    assert len([path for path in site.asked if path.endswith(CSS)]) == 5


async def test_a_server_that_is_not_there_is_a_problem_of_every_file(manifest):
    found = await verify(manifest, "http://127.0.0.1:1/", pause=0.0)
    assert [problem.code for problem in found] == ["not-served"] * len(FILES)


@pytest.mark.parametrize("url", ["/static/", "https://cdn.example/?signature=1"])
async def test_a_base_url_that_cannot_be_asked_is_refused(manifest, url):
    assert [problem.code for problem in await verify(manifest, url)] == ["bad-base-url"]


async def test_what_a_store_lost_or_damaged_is_found(built, store):
    await publish(built, store, "v1")
    manifest = await read_manifest(store, "v1")
    names = sorted(asset.name for asset in manifest.files.values() if asset.size < PART)
    await store.delete(names[:1])
    content = await store.get(names[1])
    await store.put(names[1], content[:-1] + b"?", headers.of_record())
    found = await inspect(manifest, store, tell=lambda _: None)
    assert [(problem.code, problem.file) for problem in found] == [
        ("object-missing", names[0]),
        ("damaged-object", names[1]),
    ]


async def fetched(body, told=None):
    """The manifest as a server sends it; where the problem is."""
    site = Site({"/static/_releases/r1/assets.json": (200, told or {}, body)})
    async with site.running() as url:
        with pytest.raises(AssetError) as refused:
            await check(url, "r1", tell=lambda _: None)
    assert len(site.asked) == 1
    return refused.value


async def test_a_manifest_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(checking, "_LARGEST", 1_000)
    refused = await fetched(b" " * 100_000)
    assert refused.problems[0].code == "not-served"
    assert "more than 1000 bytes" in str(refused)


async def test_a_packed_manifest_is_not_unpacked():
    refused = await fetched(gzip.compress(b" " * 9), {"Content-Encoding": "gzip"})
    assert "was sent as gzip" in str(refused)


async def test_names_in_a_manifest_that_lead_elsewhere_are_not_asked_for():
    asset = Asset("../../etc/passwd", 1, "0" * 64)
    refused = await fetched(Manifest({"a.css": asset}).as_json())
    assert refused.problems[0].code == "bad-manifest"


async def test_where_a_redirect_leads_is_told_without_its_signature(manifest, site):
    location = "https://elsewhere.example/a?X-Amz-Signature=topsecret"
    site.change = lambda answer, packed: (302, {"Location": location}, b"")
    (problem,) = await problems(manifest, site)
    assert "(to https://elsewhere.example/a)" in problem.message
