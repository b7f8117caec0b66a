"""Asset releases in the engine: what is fetched, what a build may see and how it fails."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

from app.domain.asset_release import AssetPlace
from app.domain.recipe_static import Static
from tests.support.diary import Diary, done, plan, run, step
from tests.support.fake_host import FakeHost
from worker.assets.manifest import Asset, Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.publish import Published
from worker.engine import Past, releasing
from worker.engine.asset_build import Build, Crashed, Refused
from worker.engine.asset_cache import AssetCache
from worker.engine.asset_failures import unpublished
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.step import Note

PLACE = AssetPlace("file:///nowhere", "https://static.example/shop/")
STATIC = Static(path="public", publish=True)
RELEASE = ReleaseAssets("apps/shop/r/public", "apps/shop/r", STATIC, PLACE, 3)
COMMITTED = Past(done({1: {"commit": "abc"}}))
BUILT = {"ok": True, "files": 2, "bytes": 9, "copies": 1, "hash": "0123", "warnings": []}
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
        "release": "abc-3",
        "files": 2,
        "bytes": 9,
        "copies": 1,
        "hash": "0123",
        "new": 1,
        "new_bytes": 4,
        "reused": 1,
        "warnings": [],
        "errors": [],
        "base_url": PLACE.base_url,
        "manifest_url": f"{PLACE.base_url}_releases/abc-3/assets.json",
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


async def test_a_refused_build_is_noted_with_all_problems_and_told_with_the_first(world, released):
    problems = [
        {"code": "missing-reference", "message": f"a.css, line {n}: no x.png", "nearest": ["y.png"]}
        for n in range(1, 8)
    ]
    world.built = Refused(problems, "Look at them.")
    diary, outcome = await released(RELEASE)
    assert diary.notes[0].what == "asset-release.failed"
    assert diary.notes[0].data["errors"] == problems
    assert outcome.error.code == "assets-refused"
    assert "line 1: no x.png Nearest: y.png." in outcome.error.detail
    assert "and 2 more" in outcome.error.detail
    assert "lenient" in outcome.error.hint


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


@pytest.mark.parametrize("codes", [["store-failed", "store-denied"], ["revision-differs"]])
def test_only_trouble_that_passes_is_tried_again(codes):
    error = unpublished("s3://b", AssetError([Problem(code, "no") for code in codes]))
    assert error.failure.code == "assets-publish-failed"


async def test_the_manifest_is_put_where_the_site_reads_it(world, released, host):
    to = "apps/shop/r/public/staticfiles.json"
    _, outcome = await released(PlaceManifest(PLACE, 3, to))
    assert outcome.error is None
    assert json.loads(host.sent[to])["paths"] == {"a.css": "a.0123456789ab.css"}


async def test_a_verified_release_is_noted(world, released):
    diary, _ = await released(VerifyAssets(PLACE, 3))
    assert diary.notes == [Note("asset-release.verified", {"release": "abc-3"})]


async def test_files_that_do_not_answer_are_asked_for_again_and_named(world, released):
    world.problems = [Problem("wrong-status", "a.css answers 404, wanted 200", file="a.css")]
    diary, outcome = await released(VerifyAssets(PLACE, 3))
    assert outcome.error.code == "assets-unverified"
    assert outcome.error.detail == "a.css answers 404, wanted 200"
    assert f"curl -I {PLACE.base_url}a.css" in outcome.error.hint
    assert sum("retrying" in line for line in diary.lines) == 3
    assert diary.notes == []


def _build(tmp_path, program, **more):
    (tmp_path / "tree").mkdir()
    return Build(
        Static(path="public", **more),
        PLACE.base_url,
        tmp_path / "tree",
        tmp_path / "out",
        program=(sys.executable, "-c", program),
    )


async def _said(build):
    heard = []

    async def show(text):
        heard.append(text)

    return await build.run(show), "".join(heard)


async def test_a_build_shows_what_is_said_beside_its_answer(tmp_path):
    program = 'import sys; print("12 of 40", file=sys.stderr); print(\'{"ok": true, "files": 1}\')'
    assert await _said(_build(tmp_path, program)) == ({"ok": True, "files": 1}, "12 of 40\n")


async def test_a_build_sees_no_secret_of_the_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("LIFTLOCK_MASTER_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    program = 'import json, os; print(json.dumps({"ok": True, "env": dict(os.environ)}))'
    answer, _ = await _said(_build(tmp_path, program))
    assert "secret" not in answer["env"].values()
    assert answer["env"]["PATH"] == os.environ["PATH"]


async def test_a_build_gives_way_to_the_worker_and_is_told_what_the_recipe_says(tmp_path):
    program = (
        "import json, os, sys, time\n"
        "while os.nice(0) == 0: time.sleep(0.01)\n"
        "leads = os.getsid(0) == os.getpid()\n"
        'print(json.dumps({"ok": True, "words": sys.argv[1:], "leads": leads}))'
    )
    more = {"lenient": True, "js_modules": False, "ignore": ("*.map",), "compress": ("zstd",)}
    build = _build(
        tmp_path, program, bundles={"all": {"output": "a.css", "sources": ("*.css",)}}, **more
    )
    answer, _ = await _said(build)
    words = " ".join(answer["words"])
    assert answer["leads"]
    assert f"build {build.tree} {build.out} --json --hashed-only" in words
    assert f"--base-url {PLACE.base_url} --compress zstd --no-js-modules" in words
    assert f"--no-default-ignore --ignore *.map --lenient --bundles {tmp_path}" in words
    bundles = json.loads((tmp_path / "bundles.json").read_text())
    assert bundles["bundles"]["all"]["output"] == "a.css"


async def test_a_refusal_of_the_build_has_its_problems(tmp_path):
    program = (
        'print(\'{"ok": false, "problems": [{"code": "x"}], "hint": "h"}\'); raise SystemExit(1)'
    )
    with pytest.raises(Refused) as caught:
        await _said(_build(tmp_path, program))
    assert (caught.value.problems, caught.value.hint) == (({"code": "x"},), "h")


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed .signal 9., as .* memory runs out"),
        ("import os; os.abort()", "ended by signal 6"),
        ("raise SystemExit('no such option')", "exit code 1. The last it said: no such option"),
        ("print('no JSON')", "exit code 0. The last it said: nothing"),
    ],
)
async def test_a_crash_of_the_build_says_how_it_ended(tmp_path, program, how):
    with pytest.raises(Crashed, match=how):
        await _said(_build(tmp_path, program))


def _is_alive(pid):
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_canceled_build_ends_with_everything_it_started(tmp_path):
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n"
    )
    begun = asyncio.get_running_loop().create_future()

    async def show(text):
        begun.set_result(int(text))

    running = asyncio.create_task(_build(tmp_path, program).run(show))
    child = await asyncio.wait_for(begun, 30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(10):  # killed is not yet gone
        while _is_alive(child):
            await asyncio.sleep(0.001)


@pytest.fixture
def cache(tmp_path):
    """With three contents of 10 bytes, of which `new` was wanted a moment ago."""
    cache = AssetCache(tmp_path / "cache", most=15)
    cache.objects.mkdir(parents=True)
    for name, age in (("oldest", 9000), ("old", 8000), ("new", 0)):
        (cache.objects / name).write_bytes(bytes(10))
        then = (cache.objects / name).stat().st_mtime - age
        os.utime(cache.objects / name, (then, then))
    return cache


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_cache_removes_first_what_was_not_wanted_for_longest(cache):
    cache.shrink()
    assert _names(cache.objects) == ["new"]


def test_the_cache_keeps_what_was_wanted_within_the_hour_however_much_it_is(cache):
    for name in ("oldest", "old"):
        os.utime(cache.objects / name)
    cache.shrink()
    assert _names(cache.objects) == ["new", "old", "oldest"]


def test_a_cache_that_fits_keeps_everything_but_halves_of_the_day_before(cache, tmp_path):
    (cache.objects / ".part-1").touch()
    (cache.objects / ".part-2").touch()
    os.utime(cache.objects / ".part-1", (1, 1))
    AssetCache(tmp_path / "cache").shrink()
    assert _names(cache.objects) == [".part-2", "new", "old", "oldest"]


def test_a_room_that_another_worker_left_is_removed_after_a_day(cache):
    left, busy = cache.make_room(), cache.make_room()
    os.utime(left, (1, 1))
    mine = cache.make_room()
    assert _names(mine.parent) == sorted([busy.name, mine.name])
