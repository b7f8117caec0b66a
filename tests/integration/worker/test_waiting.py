"""Jobs that wait without a worker: for something to come, or for a person's answer."""

import asyncio
import contextlib
import os
import signal

from redis.asyncio import Redis
from sqlalchemy import text

from app import services
from app.domain.event import EventType
from app.domain.job import Answer, JobKind, JobStatus
from tests.support import factories, sites
from tests.support.told import happened, said, site_processes
from worker.jobs.run_job import run_job

WAITING = f"""
name: waiting
settings:
  THERE: {{}}
preflight:
  wait_for:
    - name: database
      command: test -e "$THERE" || {{ echo "no database yet"; exit 1; }}
      every: 60
      longest: 3600
start:
  run: {sites.SERVE}
check: {{path: /, every: 0.1}}
"""

ASKING = f"""
name: asking
settings:
  PREPARE: {{}}
prepare:
  - name: prepare
    run: eval "$PREPARE"
start:
  run: {sites.SERVE}
check: {{path: /, every: 0.1}}
"""


async def _due(db, job):
    """The time to look again has come."""
    async with db.transaction() as session:
        connection = await session.connection()
        await connection.execute(
            text("UPDATE jobs SET not_before = now() - interval '1 s' WHERE id = :id"),
            {"id": job.id},
        )


async def _job(db, job):
    return (await services.jobs.get(db, job.id)).job


async def test_a_job_that_waits_holds_no_lock_and_goes_on_when_it_is_there(
    db, queue, vault, ctx, site, tmp_path, redis_url
):
    there = tmp_path / "there"
    await site(WAITING, THERE=str(there))
    job = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(job.id), 1)
    waiting = await _job(db, job)
    assert waiting.status is JobStatus.BLOCKED
    assert waiting.blocked_by[0]["kind"] == "wait-probe"
    assert waiting.blocked_by[0]["reason"] == "Wait for: database: no database yet"
    assert (waiting.worker, waiting.lease_until) == (None, None)
    async with Redis.from_url(redis_url) as redis:
        assert await redis.keys("lock:*") == []
    rival = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(rival.id), 1)
    assert (await _job(db, rival)).blocked_by[0]["kind"] == "order"
    there.touch()
    await _due(db, job)
    await run_job(ctx, str(job.id), 2)
    ended = await _job(db, job)
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    types = await factories.event_types(db, job.id)
    assert types.index(EventType.JOB_SUSPENDED) < types.index(EventType.JOB_RESUMED)
    looked = [e.data for e in await factories.events(db, job.id) if e.type == "step.started"]
    assert next(data["step"] for data in looked if data["anew"]) == "reach"


async def test_other_jobs_of_the_host_run_while_one_waits(
    db, queue, vault, ctx, site, tmp_path, machine
):
    await site(WAITING, THERE=str(tmp_path / "there"))
    job = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(job.id), 1)
    other = (
        await factories.request(db, queue, vault, kind=JobKind.ENROLL, instance=None, host="alpha")
    ).job
    await run_job(ctx, str(other.id), 1)
    assert (await _job(db, other)).status is JobStatus.SUCCEEDED
    assert (await _job(db, job)).status is JobStatus.BLOCKED


async def test_a_waiting_job_that_is_canceled_is_undone_by_the_next_worker(
    db, queue, vault, ctx, site, tmp_path
):
    await site(WAITING, THERE=str(tmp_path / "there"))
    job = (await factories.request(db, queue, vault)).job
    await run_job(ctx, str(job.id), 1)
    await services.commands.cancel(db, queue, job.id, actor="ada")
    await run_job(ctx, str(job.id), 2)
    ended = await _job(db, job)
    assert ended.status is JobStatus.CANCELED, ended.error


async def _lose_the_step(db, queue, vault, ctx, site, machine, tmp_path):
    """A job whose step was killed with everything around it, as a restart of the host does."""
    line = tmp_path / "lines"
    await site(
        ASKING, PREPARE=f"echo x >> {line}; echo begun; test -e {tmp_path}/quick || sleep 600"
    )
    job = (await factories.request(db, queue, vault)).job
    running = asyncio.create_task(run_job(ctx, str(job.id), 1))
    await said(db, job, "begun")
    (tmp_path / "quick").touch()
    for pid in site_processes(machine):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await running
    return job, line


async def test_a_person_is_asked_about_a_step_that_vanished_and_may_have_it_repeated(
    db, queue, vault, ctx, site, machine, tmp_path
):
    job, line = await _lose_the_step(db, queue, vault, ctx, site, machine, tmp_path)
    asked = await _job(db, job)
    assert asked.status is JobStatus.BLOCKED, asked.error
    assert asked.blocked_by[0]["kind"] == "wait-question"
    assert f"liftlock jobs answer {job.id}" in asked.blocked_by[0]["reason"]
    assert (await happened(db, job, EventType.STEP_UNKNOWN))["error"]["code"] == "step-vanished"
    await services.commands.answer(db, queue, job.id, answer=Answer.REPEAT, actor="ada")
    await run_job(ctx, str(job.id), 2)
    ended = await _job(db, job)
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    assert line.read_text() == "x\nx\n"


async def test_a_step_that_a_person_calls_done_is_not_repeated(
    db, queue, vault, ctx, site, machine, tmp_path
):
    job, line = await _lose_the_step(db, queue, vault, ctx, site, machine, tmp_path)
    await services.commands.answer(db, queue, job.id, answer=Answer.DONE, actor="ada")
    await run_job(ctx, str(job.id), 2)
    ended = await _job(db, job)
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    assert line.read_text() == "x\n"


async def test_a_step_that_a_person_calls_failed_fails_its_job(
    db, queue, vault, ctx, site, machine, tmp_path
):
    job, _ = await _lose_the_step(db, queue, vault, ctx, site, machine, tmp_path)
    await services.commands.answer(db, queue, job.id, answer=Answer.FAILED, actor="ada")
    await run_job(ctx, str(job.id), 2)
    ended = await _job(db, job)
    assert (ended.status, ended.error["code"]) == (JobStatus.FAILED, "step-vanished")
