"""The place of a job among those that wait for the same."""

from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.domain.job import JobKind
from tests.support import factories, holding


@pytest.fixture
async def site(db):
    return await factories.add_site(db, capacity=5)


async def _ask(db, queue, vault, **values):
    return (await factories.request(db, queue, vault, **values)).job


async def _position(db, job):
    return (await services.jobs.get(db, job.id)).position


async def test_jobs_of_an_instance_wait_in_the_order_of_their_turn(db, queue, vault, site):
    first, second = [await _ask(db, queue, vault) for _ in range(2)]
    urgent = await _ask(db, queue, vault, priority=-1)
    found = [await _position(db, job) for job in (urgent, first, second)]
    assert found == [1, 2, 3]
    listed = await services.jobs.list_page(db, after=None, limit=9)
    assert [view.position for view in listed] == [1, 3, 2]


async def test_what_has_begun_stands_before_what_has_not(db, queue, vault, site):
    job = await _ask(db, queue, vault)
    urgent = await _ask(db, queue, vault, priority=-9)
    await services.commands.cancel(db, queue, urgent.id, actor="tests")
    claim = await holding.claim(db, job)
    later = await _ask(db, queue, vault, priority=-9)
    assert (await _position(db, job), await _position(db, later)) == (None, 1)
    await services.claiming.hand_over(db, claim.job)
    assert (await _position(db, job), await _position(db, later)) == (1, 2)


async def test_jobs_of_other_instances_have_lines_of_their_own(db, queue, vault, site):
    host, _ = site
    await factories.add_instance(db, recipe=await factories.add_recipe(db), host=host, name="blog")
    await _ask(db, queue, vault)
    assert await _position(db, await _ask(db, queue, vault, instance="blog")) == 1


async def test_enrolments_wait_for_their_host_in_a_line_of_their_own(db, queue, vault, site):
    await factories.add_host(db, name="beta")
    await _ask(db, queue, vault)
    ask = {"kind": JobKind.ENROLL, "instance": None}
    jobs = [await _ask(db, queue, vault, **ask, host=name) for name in ("alpha", "beta", "alpha")]
    assert [await _position(db, job) for job in jobs] == [1, 1, 2]


async def test_who_waits_for_nobody_has_no_place(db, queue, vault, site):
    suspended = await _ask(db, queue, vault)
    await holding.suspend(db, await holding.claim(db, suspended))
    later = await _ask(db, queue, vault, not_before=datetime.now(UTC) + timedelta(hours=1))
    tried = await _ask(db, queue, vault, dry_run=True)
    assert [await _position(db, job) for job in (suspended, later, tried)] == [None] * 3
    assert await _position(db, await _ask(db, queue, vault)) == 1
