"""A file of an extension that is gone is found by a look and told by one job, as is its return."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app import services
from app.domain.extension_spec import ExtensionSpec
from app.domain.job import JobKind, JobStatus, Outcome, ServiceState
from tests.support import extended, factories
from tests.support.deployments import execute, jobs_of
from worker.jobs.run_job import run_job
from worker.jobs.sweeping_extensions import sweep_extensions

pytestmark = pytest.mark.timeout(120)

EVERY = timedelta(minutes=15)


@pytest.fixture
def carried_out(db, queue, vault, ctx):
    """Have a job done; how it ended."""

    async def run(kind, **values):
        view = await factories.request(db, queue, vault, kind=kind, instance="shop", **values)
        await run_job(ctx, str(view.job.id), 1)
        job = (await services.jobs.get(db, view.job.id)).job
        assert job.status is JobStatus.SUCCEEDED, job.error
        return job

    return run


@pytest.fixture
async def current(site, tmp_path, machine, carried_out):
    """The release that serves, with `blog` in it."""
    packages = tmp_path / "packages"
    extended.package(packages, "blog", "1.0", **{"new.css": "new"})
    await site(recipe=extended.RECIPE, PACKAGES=str(packages))
    await carried_out(JobKind.PROVISION)
    blog = ExtensionSpec(package="blog", version="1.0")
    await carried_out(JobKind.INSTALL, extension=blog, watch=0, drain=0)
    return machine.base / "apps" / "shop" / "current"


@pytest.fixture
def looked(db, ctx):
    """Have the site looked at; the jobs which that led to, carried out, and what was logged."""

    async def look():
        await execute(db, "UPDATE instances SET extensions_seen_at = NULL")
        known = {job.id for job in await jobs_of(db, JobKind.INSPECT)}
        with capture_logs() as logs:
            await sweep_extensions(ctx["runtime"], EVERY)
            new = [job for job in await jobs_of(db, JobKind.INSPECT) if job.id not in known]
            for job in new:
                await run_job(ctx, str(job.id), 1)
        lines = [one for one in logs if one["event"].startswith("extension.")]
        return [(await services.jobs.get(db, job.id)).job for job in new], lines

    return look


async def status(db):
    view = await services.extensions.get(db, "shop", "blog")
    [on] = view.hosts
    return view.extension.status, on.row.status


async def told(db, job):
    events = await factories.events(db, job.id)
    return [one.type for one in events if one.type.startswith("extension.")]


async def test_while_all_is_in_its_place_a_look_leaves_nothing_behind(db, machine, current, looked):
    before = {path.name for path in (machine.base / "steps").iterdir()}
    assert await looked() == ([], [])
    assert {path.name for path in (machine.base / "steps").iterdir()} <= before
    assert await status(db) == ("enabled", "installed")


async def test_a_file_that_is_gone_is_told_by_one_job_and_once_it_is_back_by_one(
    db, current, looked
):
    file = current / "static" / "blog" / "new.css"
    file.unlink()
    [job], [line] = await looked()
    assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.UNCHANGED)
    assert (job.actor, job.service_state) == ("liftlock:extensions", ServiceState.SERVING_OLD)
    assert await told(db, job) == ["extension.degraded"]
    assert await status(db) == ("enabled", "degraded")
    wanted = {"log_level": "error", "instance": "shop", "extension": "blog", "host": "alpha"}
    assert line.items() >= wanted.items()
    assert (line["event"], line["files"]) == ("extension.degraded", ["missing: blog/new.css"])
    assert await looked() == ([], [])

    file.write_text("new")
    [job], [line] = await looked()
    assert await told(db, job) == ["extension.recovered"]
    assert (line["event"], line["log_level"]) == ("extension.recovered", "info")
    assert await status(db) == ("enabled", "installed")
    assert await looked() == ([], [])


async def test_an_inspection_by_hand_finds_it_too(db, current, carried_out):
    (current / ".liftlock" / "extensions" / "blog.version").unlink()
    job = await carried_out(JobKind.INSPECT)
    assert await told(db, job) == ["extension.degraded"]
    [on] = (await services.extensions.get(db, "shop", "blog")).hosts
    assert (on.row.status, on.row.stamp) == ("degraded", None)


async def test_what_mends_it_is_the_command_of_the_hint(db, current, looked, carried_out):
    (current / "static" / "blog" / "new.css").write_text("another")
    assert len((await looked())[0]) == 1
    blog = ExtensionSpec(package="blog", version="1.0")
    await carried_out(JobKind.INSTALL, extension=blog, force=True, watch=0, drain=0)
    assert await status(db) == ("enabled", "installed")
    assert await looked() == ([], [])


async def test_a_host_that_does_not_answer_is_no_reason_for_a_job(db, current, looked):
    (current / "static" / "blog" / "new.css").unlink()
    await execute(db, "UPDATE hosts SET port = 1")
    assert await looked() == ([], [])
    assert await status(db) == ("enabled", "installed")


async def test_a_worker_that_is_to_stop_begins_no_look(db, ctx, current):
    runtime = replace(ctx["runtime"], draining=lambda: True)
    await execute(db, "UPDATE instances SET extensions_seen_at = NULL")
    await sweep_extensions(runtime, EVERY)
    assert await services.extension_looks.begin(db, EVERY) is not None
