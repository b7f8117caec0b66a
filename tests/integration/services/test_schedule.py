from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.errors import Invalid
from app.gateways.queue import JobQueue
from tests.support import factories

HOUR = timedelta(hours=1)


def soon(hours):
    return datetime.now(UTC) + hours * HOUR


async def pushed(queue):
    return await queue._redis.zcard(queue._redis.default_queue_name)


async def test_a_job_for_later_is_pushed_when_its_time_comes(db, queue, vault):
    await factories.add_site(db)
    not_before = soon(1)
    job = (await factories.request(db, queue, vault, not_before=not_before)).job
    assert (job.not_before, await pushed(queue)) == (not_before, 0)


async def test_a_beginning_that_is_over_is_now(db, queue, vault):
    await factories.add_site(db)
    job = (await factories.request(db, queue, vault, not_before=soon(-1))).job
    assert (job.not_before, await pushed(queue)) == (None, 1)


@pytest.mark.parametrize(
    ("pointer", "hours"),
    [
        ("/deadline", {"deadline": -1}),
        ("/deadline", {"deadline": 1, "not_before": 2}),
        ("/deadline", {"deadline": 24 * 400}),
        ("/not_before", {"not_before": 24 * 400}),
    ],
)
async def test_an_impossible_time_is_refused_with_its_place(db, queue, vault, pointer, hours):
    await factories.add_site(db)
    times = {name: soon(value) for name, value in hours.items()}
    with pytest.raises(Invalid) as refused:
        await factories.request(db, queue, vault, **times)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert await services.jobs.list_page(db, after=None, limit=10) == []


async def test_a_database_that_fails_after_the_commit_does_not_hide_the_job(
    db, queue, vault, monkeypatch
):
    """The push went out and noting it failed: the job is there, and its caller hears so."""
    await factories.add_site(db)
    real = JobQueue.push

    async def push_and_lose_postgres(self, job_id, attempt, *, again=False):
        done = await real(self, job_id, attempt, again=again)
        await db.close()
        return done

    monkeypatch.setattr(JobQueue, "push", push_and_lose_postgres)
    view = await factories.request(db, queue, vault)
    assert (await services.jobs.get(db, view.job.id)).job.id == view.job.id
