"""Asset releases in the engine: what is fetched, what a build may see and how it fails."""

import errno
import hashlib
import json
import shlex
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from app.domain.asset_release import AssetPlace
from app.domain.recipe_static import Static
from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import FakeHost
from worker.assets.manifest import Asset, Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing import store
from worker.assets.publishing.publish import Published
from worker.engine import Past
from worker.engine.assets import releasing
from worker.engine.assets.build import Build, Crashed, Refused
from worker.engine.assets.cache import AssetCache
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.step import Note

PLACE = AssetPlace("file:///nowhere", "https://static.example/shop/")
SERVER = UUID("0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11")
STATIC = Static(path="public", publish=True)
RELEASE = ReleaseAssets("apps/shop/r/public", "apps/shop/r", STATIC, PLACE, 3, SERVER)
COMMITTED = Past(done({1: {"commit": "abc"}}))
BUILT = {
    "ok": True,
    "files": 2,
    "bytes": 9,
    "copies": 1,
    "hash": "0123",
    "warnings": [],
    "warnings_total": 0,
}
MANIFEST = Manifest({"a.css": Asset("a.0123456789ab.css", 1, "00")})


class Noted(Diary):
    """Keeps the data of notes."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []

    async def note(self, note: Note, facts: object) -> None:
        self.notes.append(note)


class StandIns:
    """The build and the store, which are at the edge of the machine."""

    def __init__(self) -> None:
        self.built: dict[str, object] | Exception = BUILT
        self.published: Exception | None = None
        self.problems: list[Problem] = []
        self.trees: list[dict[str, bytes]] = []

    def of_build(self):
        """As a method of a build."""

        async def run(build: Build, show: object) -> dict[str, object]:
            return self.build(build)

        return run

    def build(self, build: Build) -> dict[str, object]:
        files = (path for path in build.tree.rglob("*") if path.is_file())
        self.trees.append({str(path.relative_to(build.tree)): path.read_bytes() for path in files})
        if isinstance(self.built, Exception):
            raise self.built
        return self.built

    async def publish(self, out: Path, store: object, revision: str, **_: object) -> Published:
        if self.published:
            raise self.published
        key = f"_releases/{revision}/assets.json"
        return Published(revision, key, 2, 9, 1, 4, 1, unchanged=False)

    async def read_manifest(self, store: object, revision: str) -> Manifest:
        return MANIFEST

    async def verify(self, manifest: Manifest, base_url: str, **_: object) -> list[Problem]:
        return self.problems


@pytest.fixture
def world(monkeypatch):
    made = StandIns()
    monkeypatch.setattr(Build, "run", made.of_build())
    monkeypatch.setattr(releasing, "open_store", lambda url: url)
    for name in ("publish", "read_manifest", "verify"):
        monkeypatch.setattr(releasing, name, getattr(made, name))
    return made


@pytest.fixture
def host():
    return FakeHost(files={"css/a.css": b"A", "b.js": b"B", "copy.js": b"B"})


@pytest.fixture
def released(host, tmp_path):
    """Carry out one step behind a checkout; what its journal has, and how it ended."""

    async def carry_out(action, **more):
        diary = Noted()
        steps = plan(step("checkout"), step("assets", action))
        outcome = await run(
            steps, host, diary, past=COMMITTED, assets_cache=tmp_path / "cache", **more
        )
        return diary, outcome

    return carry_out


async def test_the_tree_of_the_host_is_built_and_the_release_noted(world, released):
    diary, outcome = await released(RELEASE)
    assert outcome.error is None
    assert world.trees == [{"css/a.css": b"A", "b.js": b"B", "copy.js": b"B"}]
    (note,) = diary.notes
    assert note.what == "asset-release.published"
    assert note.data == {
        "release": "abc-3-0a6b8c11",
        "files": 2,
        "bytes": 9,
        "copies": 1,
        "hash": "0123",
        "new": 1,
        "new_bytes": 4,
        "reused": 1,
        "warnings": [],
        "warnings_total": 0,
        "errors": [],
        "base_url": PLACE.base_url,
        "manifest_url": f"{PLACE.base_url}_releases/abc-3-0a6b8c11/assets.json",
    }


async def test_only_contents_that_are_lacking_are_fetched(world, released, host):
    first, _ = await released(RELEASE)
    host.files["new.js"] = b"N"
    second, _ = await released(RELEASE)
    assert "fetched 2 (0.0 MB) of 3 files, 1 known" in first.said
    assert "fetched 1 (0.0 MB) of 4 files, 3 known" in second.said
    assert world.trees[1]["new.js"] == b"N"


async def test_what_the_host_leaves_out_is_told_and_kept_as_a_warning(world, released, host):
    host.left_out = ("pipe: it is neither a file nor a folder",)
    diary, _ = await released(RELEASE)
    assert "left out: pipe: it is neither a file nor a folder\n" in diary.said
    warning = {"code": "left-out", "message": "pipe: it is neither a file nor a folder"}
    assert diary.notes[0].data["warnings"] == [warning]


async def test_many_warnings_are_counted_and_the_first_are_told(world, released, host):
    host.left_out = tuple(f"{n}: it is neither a file nor a folder" for n in range(150))
    warnings = [{"code": "missing-map", "message": str(n)} for n in range(200)]
    world.built = {**BUILT, "warnings": warnings, "warnings_total": 400_000}
    diary, _ = await released(RELEASE)
    data = diary.notes[0].data
    assert (len(data["warnings"]), data["warnings_total"]) == (200, 400_150)


async def test_the_problems_of_a_refusal_are_counted_with_those_that_were_not_told(world, released):
    world.built = Refused([{"code": "bad-name", "message": str(n)} for n in range(200)], 5_000)
    diary, outcome = await released(RELEASE)
    data = diary.notes[0].data
    assert (len(data["errors"]), data["errors_total"]) == (200, 5_000)
    assert "and 4,995 more:" in outcome.error.detail


async def test_a_store_with_many_problems_notes_the_first_and_their_number(world, released):
    world.published = AssetError([Problem("file-missing", str(n)) for n in range(900)])
    diary, _ = await released(RELEASE)
    data = diary.notes[0].data
    assert (len(data["errors"]), data["errors_total"]) == (200, 900)


async def test_a_refused_build_is_noted_with_all_problems_and_told_with_the_first(world, released):
    message = "a.css, line {}: no x.png; did you mean y.png?"
    problems = [
        {"code": "missing-reference", "message": message.format(n), "nearest": ["y.png"]}
        for n in range(1, 8)
    ]
    world.built = Refused(problems)
    diary, outcome = await released(RELEASE)
    assert diary.notes[0].what == "asset-release.failed"
    assert diary.notes[0].data["errors"] == problems
    assert outcome.error.code == "assets-refused"
    assert outcome.error.detail.splitlines()[0] == message.format(1)
    assert outcome.error.detail.endswith("and 2 more: liftlock assets show shop abc-3-0a6b8c11")
    assert "lenient: true" in outcome.error.hint


async def test_a_crashed_build_is_no_refusal(world, released):
    world.built = Crashed("it was killed (signal 9), as the kernel does when memory runs out")
    diary, outcome = await released(RELEASE)
    assert (outcome.error.code, len(diary.notes)) == ("assets-build-failed", 1)
    assert "memory" in outcome.error.detail


async def test_a_store_that_refuses_ends_the_job_at_once(world, released):
    message = "Putting s3://b/p/a.css failed: 403 AccessDenied"
    world.published = AssetError([Problem("store-denied", message)], "Allow it.")
    diary, outcome = await released(RELEASE)
    assert (outcome.error.code, outcome.error.hint) == ("assets-publish-failed", "Allow it.")
    assert outcome.error.detail == message
    assert [note.what for note in diary.notes] == ["asset-release.failed"]


async def test_a_store_that_does_not_answer_is_tried_again(world, released):
    world.published = AssetError([Problem("store-unreachable", "no answer")])
    diary, outcome = await released(RELEASE)
    assert outcome.error.code == "assets-store-unreachable"
    assert sum("retrying" in line for line in diary.lines) == 3


async def test_the_manifest_is_put_where_the_site_reads_it(world, released, host):
    to = "apps/shop/r/public/staticfiles.json"
    _, outcome = await released(PlaceManifest(PLACE, 3, SERVER, to, "apps/shop/r"))
    assert outcome.error is None
    assert json.loads(host.sent[to])["paths"] == {"a.css": "a.0123456789ab.css"}


async def test_a_manifest_goes_nowhere_that_links_lead_out_of_the_release(world, released, host):
    host.links_out = True
    to = "apps/shop/r/public/staticfiles.json"
    _, outcome = await released(PlaceManifest(PLACE, 3, SERVER, to, "apps/shop/r"))
    assert (outcome.error.code, host.sent) == ("assets-refused", {})
    assert "/srv/shared" in outcome.error.detail
    assert "`manifest` under `static`" in outcome.error.hint


async def test_a_verified_release_is_noted(world, released):
    diary, _ = await released(VerifyAssets(PLACE, 3, SERVER))
    assert diary.notes == [Note("asset-release.verified", {"release": "abc-3-0a6b8c11"})]


async def test_files_that_do_not_answer_are_asked_for_again_and_named(world, released):
    problem = Problem("not-served", "a.css answered 404, wanted 200", file="a.css")
    world.problems = [problem]
    diary, outcome = await released(VerifyAssets(PLACE, 3, SERVER))
    assert outcome.error.code == "assets-unverified"
    assert outcome.error.detail == problem.message
    assert f"curl -I {PLACE.base_url}a.css;" in outcome.error.hint
    assert sum("retrying" in line for line in diary.lines) == 3


async def test_a_damaged_object_of_the_store_is_named_with_what_removes_it(
    world, released, monkeypatch, tmp_path
):
    folder = tmp_path / "it's a store"
    folder.mkdir()
    (folder / "a.0123456789ab.css").write_bytes(b"?")
    monkeypatch.setattr(releasing, "open_store", lambda _: store.open_store(folder.as_uri()))
    world.problems = [Problem("altered", "other bytes", file="a.0123456789ab.css")]
    diary, outcome = await released(VerifyAssets(PLACE, 3, SERVER))
    assert outcome.error.code == "assets-publish-failed"
    assert "sha256" in outcome.error.detail.splitlines()[0]
    remove = outcome.error.hint.removeprefix("Remove what is damaged, then repeat the job: ")
    assert shlex.split(remove) == ["rm", str(folder / "a.0123456789ab.css")]
    assert not any("retrying" in line for line in diary.lines)


async def test_a_server_that_alters_what_the_store_has_right_is_to_blame(
    world, released, monkeypatch, tmp_path
):
    (tmp_path / "a.0123456789ab.css").write_bytes(b"A")
    monkeypatch.setattr(releasing, "open_store", lambda _: store.open_store(tmp_path.as_uri()))
    monkeypatch.setattr(releasing, "read_manifest", _of_content(b"A"))
    world.problems = [Problem("altered", "other bytes", file="a.0123456789ab.css")]
    _, outcome = await released(VerifyAssets(PLACE, 3, SERVER))
    assert outcome.error.code == "assets-unverified"
    assert "What the store has is right: the server or the CDN changes it." in outcome.error.hint


def _of_content(content):
    asset = Asset("a.0123456789ab.css", len(content), hashlib.sha256(content).hexdigest())

    async def read(*_):
        return Manifest({"a.css": asset})

    return read


async def test_a_failed_verification_is_noted_with_all_problems(world, released):
    world.problems = [Problem("not-served", f"{n}.css answered 404") for n in range(9)]
    diary, _ = await released(VerifyAssets(PLACE, 3, SERVER))
    errors = [problem.as_json() for problem in world.problems]
    data = {"release": "abc-3-0a6b8c11", "base_url": PLACE.base_url, "errors": errors}
    data["errors_total"] = 9
    assert diary.notes[0] == Note("asset-release.failed", data)


async def test_a_build_that_the_machine_broke_is_noted_and_no_fault_of_the_files(world, released):
    told = [{"code": "input-output", "message": f"{n}.css: no space left"} for n in range(7)]
    world.built = Crashed("no space left", told)
    diary, outcome = await released(RELEASE)
    assert (outcome.error.code, diary.notes[0].data["errors"]) == ("assets-build-failed", told)
    assert "0.css: no space left" in outcome.error.detail
    assert "df -h" in outcome.error.hint
    assert "lenient" not in outcome.error.hint


async def test_what_the_recipe_ignores_is_not_fetched(world, released, host):
    host.files |= {".git/hooks/x": b"1", "css/b.css~": b"2", "docs/c.md": b"3"}
    static = STATIC.model_copy(update={"ignore": ("docs", ".*", "*~")})
    diary, _ = await released(replace(RELEASE, static=static))
    assert world.trees == [{"css/a.css": b"A", "b.js": b"B", "copy.js": b"B"}]
    assert "fetched 2 (0.0 MB) of 3 files" in diary.said


async def test_what_stands_where_the_manifests_go_is_not_fetched_and_told(world, released, host):
    host.files |= {"staticfiles.json": b"1", "assets.json": b"2", "css/assets.json": b"3"}
    diary, _ = await released(RELEASE)
    assert sorted(world.trees[0]) == ["b.js", "copy.js", "css/a.css", "css/assets.json"]
    told = [warning["message"] for warning in diary.notes[0].data["warnings"]]
    assert told == [
        f"{name}: this is where a manifest of the release goes"
        for name in ("assets.json", "staticfiles.json")
    ]


async def test_a_full_disk_of_the_worker_is_noted(world, released, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(AssetCache, "lay_out", refuse)
    diary, outcome = await released(RELEASE)
    assert outcome.error.code == "assets-build-failed"
    assert "No space left on device" in outcome.error.detail
    assert [note.what for note in diary.notes] == ["asset-release.failed"]
