"""What people do with locks, as the worker meets it: placed by hand, and broken."""

import asyncio

from app import services
from app.domain.job import JobStatus
from tests.support import factories
from tests.support.told import happened, said, site_processes
from worker.jobs.run_job import run_job

#: Runs until its file is there.
UNTIL = "echo begun; until [ -e {} ]; do sleep 0.05; done"


async def test_jobs_that_meet_a_manual_lock_end_one_after_the_other_and_touch_nothing(
    db, queue, vault, ctx, site, machine
):
    await site()
    first, second = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    await services.locks.place(db, on="instance:shop", message="no deploys today", actor="ann")
    pushed = []
    queue.push = lambda job_id, attempt, **_: _note(pushed, (job_id, attempt))
    await run_job(ctx, str(first.id), 1)
    assert pushed == [(second.id, 1)]
    await run_job(ctx, str(second.id), 1)
    for job in (first, second):
        error = (await services.jobs.get(db, job.id)).job.error
        assert error["code"] == "manual-lock"
        assert await services.jobs.steps(db, job.id) == []


async def _note(pushed, what):
    pushed.append(what)


async def test_the_worker_of_a_broken_lock_leaves_at_once_and_the_next_job_ends_what_it_left(
    db, queue, vault, ctx, site, machine, tmp_path
):
    may_end = tmp_path / "may-end"
    await site(BUILD=UNTIL.format(may_end))
    first, second = [(await factories.request(db, queue, vault)).job for _ in range(2)]
    working = asyncio.create_task(run_job(ctx, str(first.id), 1))
    await said(db, first, "begun")
    broken = await services.locks.break_lock(
        db, queue, "instance:shop", token=1, reason="it hangs", actor="ann", force=True
    )
    ctx["runtime"].wakeups.wake(f"ending:{first.id}")
    await working
    assert (broken.job, broken.was_alive) == (first.id, True)
    assert (await services.jobs.get(db, first.id)).job.error["code"] == "lock-broken"
    assert (await factories.event_types(db, first.id))[-1] == "job.failed"
    left = site_processes(machine)
    assert left
    following = asyncio.create_task(run_job(ctx, str(second.id), 1))
    data = await happened(db, second, "step.retrying")
    assert data["error"]["code"] == "host-busy"
    await said(db, second, "begun")
    assert not set(left) & set(site_processes(machine))
    may_end.touch()
    await following
    view = await services.jobs.get(db, second.id)
    assert view.job.status is JobStatus.SUCCEEDED, view.job.error
