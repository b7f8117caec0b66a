"""Jobs that are told to stop: no process of theirs is left on the host, and all is taken back."""

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from app import services
from app.domain.event import EventType
from app.domain.job import Ending, EndingWhy, JobStatus, Outcome
from app.store import jobs
from tests.support import factories, sites
from tests.support.told import said, site_processes, told
from worker.jobs.run_job import run_job

#: Each hides from the signal that asks it to end.
IGNORES_TERM = "trap '' TERM INT HUP; echo begun; while :; do sleep 0.2; done"
FORKS = "echo begun; (trap '' TERM; sleep 600) & (setsid sleep 600 &) ; sleep 600"

PATIENT = f"""
name: patient
settings:
  PREPARE: {{default: "true"}}
prepare:
  - name: prepare
    run: eval "$PREPARE"
build:
  - name: build
    run: echo built
start:
  run: {sites.SERVE}
check: {{path: /, every: 0.1}}
"""


@pytest.fixture
def cancel(db, queue, ctx):
    async def tell(job, *, force=False):
        await services.commands.cancel(
            db, queue, job.id, actor="ada", reason="wrong tag", force=force
        )
        ctx["runtime"].wakeups.wake(f"ending:{job.id}")

    return tell


@pytest.mark.parametrize("build", [IGNORES_TERM, FORKS])
async def test_a_canceled_job_leaves_no_process_on_its_host(
    db, queue, vault, ctx, site, machine, cancel, build
):
    await site(BUILD=build)
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await said(db, job, "begun")
    assert site_processes(machine)
    await cancel(job)
    await running
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.CANCELED, view.job.error
    assert site_processes(machine) == []
    assert (view.job.outcome, view.job.error["code"]) == (Outcome.ROLLED_BACK, "canceled")
    assert view.app_server.status == "failed"
    types = await factories.event_types(db, job.id)
    assert EventType.STEP_CANCELED in types
    assert types[-1] == EventType.JOB_CANCELED


async def test_a_site_that_was_started_is_stopped_again(
    db, queue, vault, ctx, site, machine, cancel
):
    recipe = PATIENT.replace("check: {path: /,", "check: {path: /, contains: never,")
    await site(recipe)
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await told(db, job, lambda event: event.data.get("step") == "check")
    async with asyncio.timeout(10):
        # What is about to become another program shows no environment for a moment.
        while not site_processes(machine):
            await asyncio.sleep(0.05)
    await cancel(job)
    await running
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.CANCELED, view.job.error
    assert site_processes(machine) == []
    assert "step.undone" in await factories.event_types(db, job.id)


async def test_what_changes_data_may_finish_and_nothing_follows_it(
    db, queue, vault, ctx, site, machine, cancel, tmp_path
):
    may_end = tmp_path / "may-end"
    await site(
        PATIENT, PREPARE=f"echo begun; until [ -e {may_end} ]; do sleep 0.05; done; echo all"
    )
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await said(db, job, "begun")
    await cancel(job)
    stops = await told(db, job, lambda event: "stops" in event.data)
    assert (stops.data["step"], stops.data["stops"]) == ("prepare-prepare", "after the step")
    may_end.touch()
    await running
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.CANCELED, view.job.error
    steps = {step.name: step.status for step in await services.jobs.steps(db, job.id)}
    assert steps["prepare-prepare"] == "succeeded"
    assert "record-prepared" not in steps
    await said(db, job, "all")


async def test_a_job_whose_worker_is_gone_is_stopped_by_the_next_one(
    db, queue, vault, ctx, handed_over, site, machine, cancel
):
    await site(BUILD=IGNORES_TERM)
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "begun")
    await cancel(job)
    await run_job(ctx, str(job.id), 2)
    view = await services.jobs.get(db, job.id)
    assert view.job.status is JobStatus.CANCELED, view.job.error
    assert site_processes(machine) == []


async def test_a_job_that_lost_its_workers_is_undone_and_fails(
    db, queue, vault, ctx, handed_over, site, machine
):
    await site(BUILD=IGNORES_TERM)
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "begun")
    async with db.transaction() as session:
        order = Ending(EndingWhy.WORKER_LOST, at="2026-01-01T00:00:00+00:00", reason="Three.")
        await jobs.order_end(session, await jobs.lock(session, job.id), order)
    await run_job(ctx, str(job.id), 2)
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.error["code"]) == (JobStatus.FAILED, "worker-lost")
    assert view.job.outcome is Outcome.ROLLED_BACK
    assert "undone" in view.job.error["detail"]
    assert site_processes(machine) == []


async def test_a_job_is_never_called_canceled_while_its_host_is_away(
    db, queue, vault, ctx, handed_over, site, machine, cancel, monkeypatch
):
    monkeypatch.setattr("worker.engine.policy.RetryPolicy.pause", lambda *_: 0.01)
    await site(BUILD=IGNORES_TERM)
    job = (await factories.request(db, queue, vault)).job
    await handed_over(job, "begun")
    await cancel(job)
    machine.away = True
    await machine.drop()
    await run_job(ctx, str(job.id), 2)
    view = await services.jobs.get(db, job.id)
    assert (view.job.status, view.job.error["code"]) == (JobStatus.FAILED, "cancel-unproven")
    assert view.job.outcome is Outcome.ROLLBACK_FAILED
    for process in site_processes(machine):
        # One may end with another one.
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize(
    ("build", "status"),
    [("sleep 600 &", JobStatus.SUCCEEDED), ("sleep 600 & false", JobStatus.FAILED)],
)
async def test_what_a_build_leaves_behind_stands_in_nobodys_way(
    db, queue, vault, ctx, site, build, status
):
    await site(BUILD=build)
    for _ in range(2):
        job = (await factories.request(db, queue, vault)).job
        await run_job(ctx, str(job.id), 1)
        view = await services.jobs.get(db, job.id)
        assert view.job.status is status, view.job.error
        assert (view.job.error or {}).get("code") in {None, "step-failed"}
