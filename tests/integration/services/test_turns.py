"""Whose turn it is when many jobs want the same host, or all of them together have a limit."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.domain.job import JobStatus
from app.services.claiming import Blocked
from app.store.database import driver
from tests.support import factories


async def _claim(db, job, *, most_running=0):
    work = await services.work.look(db, job.id)
    return await services.claiming.claim(
        db,
        work,
        attempt=work.job.attempt + 1,
        worker="w",
        lock_names=[f"instance:{job.instance_id}"],
        most_running=most_running,
    )


async def _try(db, job, **limits):
    """The claim, or None with the job blocked as a worker does it."""
    try:
        return await _claim(db, job, **limits)
    except Blocked as blocked:
        work = await services.work.look(db, job.id)
        await services.claiming.block(
            db, work.job, attempt=work.job.attempt + 1, blocked_by=blocked.blocked_by
        )
        return None


async def _sites(db, *, count, capacity, host="alpha", prefix="site"):
    recipe = await factories.add_recipe(db)
    row = await factories.add_host(db, name=host, capacity=capacity)
    names = [f"{prefix}-{number}" for number in range(count)]
    for name in names:
        await factories.add_instance(db, recipe=recipe, host=row, name=name)
    return names


async def _ask(db, queue, vault, instance, **values):
    return (await factories.request(db, queue, vault, instance=instance, **values)).job


async def _end(db, claim):
    return await services.ending.settle(db, claim.job, status=JobStatus.SUCCEEDED)


async def test_fifty_jobs_on_a_full_host_begin_in_the_order_of_their_requests(db, queue, vault):
    names = await _sites(db, count=5, capacity=2)
    jobs = [await _ask(db, queue, vault, names[number % 5]) for number in range(50)]
    waiting, begun, running = list(reversed(jobs)), [], []
    async with asyncio.timeout(50):
        while waiting:
            # Everybody looks, the newest first, and as two workers do it: side by side.
            for pair in zip(waiting[::2], [*waiting[1::2], None], strict=False):
                found = await asyncio.gather(*(_try(db, job) for job in pair if job))
                running += [claim for claim in found if claim]
            assert 0 < len(running) <= 2
            begun += [claim.job.id for claim in running]
            for claim in running:
                await _end(db, claim)
            ended = {claim.job.id for claim in running}
            waiting, running = [job for job in waiting if job.id not in ended], []
    order = [job.id for job in jobs]
    assert max(abs(order.index(job_id) - place) for place, job_id in enumerate(begun)) <= 1


async def test_who_waits_for_capacity_is_woken_in_order(db, queue, vault):
    names = await _sites(db, count=3, capacity=1)
    jobs = [await _ask(db, queue, vault, name) for name in names]
    claim = await _claim(db, jobs[0])
    for job in reversed(jobs[1:]):
        assert await _try(db, job) is None
    assert await _end(db, claim) == [(jobs[1].id, 1)]


async def test_an_urgent_job_goes_first_and_a_later_one_waits_for_it(db, queue, vault):
    names = await _sites(db, count=2, capacity=1)
    ordinary = await _ask(db, queue, vault, names[0])
    urgent = await _ask(db, queue, vault, names[1], priority=-1)
    assert await _try(db, ordinary) is None
    assert (await _claim(db, urgent)).job.status is JobStatus.RUNNING


async def test_a_job_whose_time_has_not_come_is_in_nobodys_way(db, queue, vault):
    names = await _sites(db, count=2, capacity=1)
    later = datetime.now(UTC) + timedelta(hours=1)
    await _ask(db, queue, vault, names[0], not_before=later)
    assert await _try(db, await _ask(db, queue, vault, names[1]))


async def test_an_instance_at_work_keeps_no_second_unit_for_its_next_job(db, queue, vault):
    names = await _sites(db, count=2, capacity=2)
    first, second = [await _ask(db, queue, vault, names[0]) for _ in range(2)]
    assert await _try(db, first)
    assert await _try(db, second) is None
    assert await _try(db, await _ask(db, queue, vault, names[1]))


async def test_a_dry_run_takes_no_capacity(db, queue, vault):
    names = await _sites(db, count=2, capacity=1)
    assert await _try(db, await _ask(db, queue, vault, names[0], dry_run=True))
    assert await _try(db, await _ask(db, queue, vault, names[1]))


async def test_no_more_jobs_run_than_the_limit_however_many_claim_at_once(db, queue, vault):
    jobs = []
    for number in range(6):
        [name] = await _sites(
            db, count=1, capacity=5, host=f"host-{number}", prefix=f"site-{number}"
        )
        jobs.append(await _ask(db, queue, vault, name))
    found = await asyncio.gather(*(_try(db, job, most_running=2) for job in jobs))
    assert len([claim for claim in found if claim]) == 2
    async with db.statement() as session:
        reasons = await driver(session).fetch("SELECT blocked_by FROM jobs WHERE status='blocked'")
    assert [row["blocked_by"] for row in reasons] == [[{"kind": "limit", "most_running": 2}]] * 4


async def test_the_first_that_waits_for_the_limit_is_woken_and_goes_first(db, queue, vault):
    jobs = []
    for number in range(3):
        [name] = await _sites(
            db, count=1, capacity=5, host=f"host-{number}", prefix=f"site-{number}"
        )
        jobs.append(await _ask(db, queue, vault, name))
    claim = await _claim(db, jobs[0], most_running=1)
    for job in (jobs[2], jobs[1]):
        assert await _try(db, job, most_running=1) is None
    assert await _end(db, claim) == [(jobs[1].id, 1)]
    assert await _try(db, jobs[2], most_running=1) is None
    assert await _try(db, jobs[1], most_running=1)


@pytest.mark.parametrize("most_running", [0, 1])
async def test_many_claims_of_one_job_make_one_attempt(db, queue, vault, most_running):
    [name] = await _sites(db, count=1, capacity=5)
    job = await _ask(db, queue, vault, name)
    work = await services.work.look(db, job.id)
    found = await asyncio.gather(
        *(
            services.claiming.claim(
                db,
                work,
                attempt=1,
                worker=f"w{number}",
                lock_names=[f"instance:{job.instance_id}"],
                most_running=most_running,
            )
            for number in range(8)
        ),
        return_exceptions=True,
    )
    assert len([one for one in found if not isinstance(one, Exception)]) == 1
