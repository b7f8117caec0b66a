"""A provision that publishes its static files: real host, real build, a store that is a folder."""

import asyncio
import contextlib
import functools
import json
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app import services
from app.domain.asset_release import AssetPlace, AssetReleaseStatus
from app.domain.job import JobStatus
from tests.support import factories, sites
from tests.support.told import said
from worker.engine.assets import releasing
from worker.engine.assets.build import Build
from worker.jobs import journal
from worker.jobs.run_job import run_job

RECIPE = f"""
name: styled
settings:
  REFERENCE: {{default: ../logo.png}}
static:
  collect: |
    mkdir -p public/css
    printf 'body{{background:url("%s")}}' "$REFERENCE" > public/css/site.css
    printf PNG > public/logo.png
    echo "assets at $ASSETS_URL"
  path: public
  publish: true
start:
  run: {sites.SERVE}
check: {{path: /, every: 0.1}}
"""


class _Immutable(SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Cache-Control", "public, max-age=31536000, immutable")
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def place(store):
    """The store behind a small web server."""
    handler = functools.partial(_Immutable, directory=store)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield AssetPlace(store.as_uri(), f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
        thread.join()


@pytest.fixture
def ctx(ctx, place, tmp_path):
    cache = tmp_path / "cache"
    return {"runtime": replace(ctx["runtime"], asset_place=place, assets_cache=cache)}


@pytest.fixture
async def job(db, queue, vault, site):
    async def make(**settings):
        await site(RECIPE, **settings)
        return (await factories.request(db, queue, vault)).job

    return make


def objects(store):
    """Everything in it that is no record, with what changes when it is written again."""
    return {
        str(path.relative_to(store)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (store / "shop").rglob("*")
        if path.is_file()
    }


async def the_release(db):
    (found,) = await services.asset_releases.list_page(db, "shop", after=None, limit=9)
    return await services.asset_releases.get(db, "shop", found.release)


async def succeeded(db, job):
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
    return view


async def test_a_provision_publishes_verifies_and_puts_the_manifest_beside_the_code(
    db, ctx, job, machine, store, place
):
    made = await job()
    await run_job(ctx, str(made.id), 1)
    await succeeded(db, made)
    (manifest,) = machine.base.glob("apps/shop/releases/*/public/staticfiles.json")
    paths = json.loads(manifest.read_text())["paths"]
    logo = paths["logo.png"].removeprefix("logo.")
    assert f'url("../logo.{logo}")' in (store / "shop" / paths["css/site.css"]).read_text()
    release = await the_release(db)
    assert (release.status, release.files, release.new_files) == (AssetReleaseStatus.VERIFIED, 2, 2)
    assert release.manifest_url.startswith(f"{place.base_url}shop/_releases/")
    await said(db, made, f"assets at {place.base_url}shop/")


async def test_what_is_fetched_built_and_published_is_told(db, ctx, job):
    made = await job()
    await run_job(ctx, str(made.id), 1)
    await said(db, made, "fetched 2 (0.0 MB) of 2 files, 0 known")
    await said(db, made, "published 2 new of 2 files")
    await said(db, made, "2 files answer at http://127.0.0.1")


async def test_a_second_provision_fetches_and_publishes_nothing_that_is_known(
    db, queue, vault, ctx, job, store
):
    await run_job(ctx, str((await job()).id), 1)
    before = objects(store)
    second = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(second.id), 1)
    await succeeded(db, second)
    await said(db, second, "fetched 0 (0.0 MB) of 2 files, 2 known")
    await said(db, second, "published 0 new of 2 files")
    assert before.items() <= objects(store).items()


async def test_an_instance_made_anew_publishes_beside_what_was_left_of_it(
    db, queue, vault, ctx, site, job, store
):
    await site(RECIPE.replace(sites.SERVE, "exit 3"))
    await run_job(ctx, str((await factories.request(db, queue, vault)).job.id), 1)
    await services.instances.delete(db, "shop", expected=None)
    before = objects(store)
    assert before
    # The same commit and the first number again, with other files.
    made = await job(REFERENCE="#logo")
    await run_job(ctx, str(made.id), 1)
    await succeeded(db, made)
    assert before.items() <= objects(store).items()


async def test_a_crash_between_publishing_and_its_note_costs_no_second_put(
    db, ctx, job, store, monkeypatch
):
    made, published, carry_out = await job(), asyncio.Event(), journal.carry_out

    async def stand_still(db, job, note, facts, **more):
        if note.what == "asset-release.published":
            published.set()
            await asyncio.Event().wait()
        await carry_out(db, job, note, facts, **more)

    with monkeypatch.context() as patched:
        patched.setattr(journal, "carry_out", stand_still)
        first = asyncio.create_task(run_job(ctx, str(made.id), 1))
        await asyncio.wait_for(published.wait(), 30)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
    before = objects(store)
    await run_job(ctx, str(made.id), 2)
    await succeeded(db, made)
    assert objects(store) == before
    assert (await the_release(db)).status is AssetReleaseStatus.VERIFIED


_SLOW = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
print(f"building {os.getpid()} {child.pid} ", file=sys.stderr, flush=True)
time.sleep(600)
"""


def _is_alive(pid):
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_cancel_in_the_middle_of_the_build_ends_all_its_processes(
    db, queue, ctx, job, store, monkeypatch, tmp_path
):
    slow = functools.partial(Build, program=(sys.executable, "-c", _SLOW))
    monkeypatch.setattr(releasing, "Build", slow)
    made = await job()
    running = asyncio.create_task(run_job(ctx, str(made.id), 1))
    await said(db, made, "building")
    output = [event.data.get("text", "") for event in await factories.events(db, made.id)]
    pids = next(text for text in output if "building" in text).split("building ")[1].split()[:2]
    await services.commands.cancel(db, queue, made.id, actor="ada", reason="wrong tag", force=False)
    ctx["runtime"].wakeups.wake(f"ending:{made.id}")
    await running
    assert (await services.jobs.get(db, made.id)).job.status is JobStatus.CANCELED
    async with asyncio.timeout(10):  # killed is not yet gone
        while any(map(_is_alive, pids)):
            await asyncio.sleep(0.001)
    assert list(store.iterdir()) == []
    assert [path for path in (tmp_path / "cache/work").iterdir() if path.is_dir()] == []


async def test_a_folder_that_a_link_shares_with_the_running_site_gets_no_manifest(
    db, ctx, site, queue, vault, machine
):
    shared = machine.base / "shared"
    shared.mkdir(parents=True)
    (shared / "staticfiles.json").write_text("of the site that runs")
    linked = RECIPE.replace(
        "    mkdir -p public/css\n", f"    ln -s {shared} public\n    mkdir css\n"
    )
    linked = linked.replace("public/css/site.css", "css/site.css")
    linked = linked.replace(
        "    echo", "    mkdir -p public/css; mv css/site.css public/css\n    echo"
    )
    await site(linked)
    made = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(made.id), 1)
    error = (await services.jobs.get(db, made.id)).job.error
    assert (error["code"], error["step"]) == ("assets-refused", "assets-manifest")
    assert str(shared) in error["detail"]
    assert (shared / "staticfiles.json").read_text() == "of the site that runs"


async def test_a_file_that_the_recipe_requires_and_nobody_makes_fails_the_job(
    db, ctx, site, queue, vault, store
):
    await site(
        RECIPE.replace("  publish: true", "  publish: true\n  require: [logo.png, logo.svg]")
    )
    made = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(made.id), 1)
    error = (await services.jobs.get(db, made.id)).job.error
    assert error["code"] == "assets-refused"
    assert error["detail"].startswith("logo.svg: is required and not there")
    assert "`require`" in error["hint"]
    assert list(store.rglob("*.png")) == []


async def test_a_damaged_object_fails_the_job_with_what_removes_it_and_a_retry_heals(
    db, queue, vault, ctx, job, store
):
    await run_job(ctx, str((await job()).id), 1)
    (logo,) = (store / "shop").glob("logo.*.png")
    logo.write_bytes(b"PGN")
    second = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(second.id), 1)
    error = (await services.jobs.get(db, second.id)).job.error
    assert (error["code"], error["step"]) == ("assets-publish-failed", "assets-verify")
    subprocess.run(error["hint"].partition("job: ")[2], shell=True, check=True)
    third = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(third.id), 1)
    await succeeded(db, third)
    assert logo.read_bytes() == b"PNG"


async def test_a_missing_reference_fails_the_job_with_file_line_and_nearest_names(
    db, ctx, job, store
):
    made = await job(REFERENCE="../logo.pgn")
    await run_job(ctx, str(made.id), 1)
    error = (await services.jobs.get(db, made.id)).job.error
    assert (error["code"], error["step"]) == ("assets-refused", "assets-release")
    assert "css/site.css" in error["detail"]
    assert "logo.png" in error["detail"]
    assert "lenient" in error["hint"]
    release = await the_release(db)
    assert release.status is AssetReleaseStatus.FAILED
    assert release.errors[0]["file"] == "css/site.css"
    assert list(store.rglob("*.css")) == []


async def test_without_a_place_the_job_fails_early_and_names_both_settings(db, ctx, job, machine):
    made = await job()
    nowhere = {"runtime": replace(ctx["runtime"], asset_place=None)}
    await run_job(nowhere, str(made.id), 1)
    error = (await services.jobs.get(db, made.id)).job.error
    assert error["code"] == "assets-not-configured"
    assert "LIFTLOCK_ASSETS_STORE and LIFTLOCK_ASSETS_URL" in error["hint"]
    assert not (machine.base / "apps/shop/releases").exists()


async def test_files_that_no_browser_gets_fail_the_job_before_the_site_is_started(
    db, ctx, job, tmp_path
):
    elsewhere = AssetPlace((tmp_path / "elsewhere").as_uri(), ctx["runtime"].asset_place.base_url)
    made = await job()
    await run_job({"runtime": replace(ctx["runtime"], asset_place=elsewhere)}, str(made.id), 1)
    error = (await services.jobs.get(db, made.id)).job.error
    assert (error["code"], error["step"]) == ("assets-unverified", "assets-verify")
    assert "404" in error["detail"]
    release = await the_release(db)
    assert (release.status, release.files) == (AssetReleaseStatus.FAILED, 2)
    assert [problem["code"] for problem in release.errors] == ["not-served"] * 2
    assert all("answered 404" in problem["message"] for problem in release.errors)
    types = await factories.event_types(db, made.id)
    assert types.count("asset_release.failed") == 1
