"""What becomes of a request when the same is asked for already."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from app import services
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus, OnConflict
from app.errors import AlreadyWaiting, Unavailable
from app.services.job_request import Terms
from app.store.database import Database
from tests.support import factories
from tests.support.worked import claim, finish

ROOM = {"port_first": 4000, "port_last": 4999, "next_port": 4000}
ENROLL = {"kind": JobKind.ENROLL, "instance": None, "host": "alpha"}


@pytest.fixture
def ask(db, queue, vault):
    """Asks for a job; the default is a provision of `shop`."""

    async def ask(on_conflict=OnConflict.QUEUE, **values):
        return (await factories.request(db, queue, vault, on_conflict=on_conflict, **values)).job

    return ask


@pytest.fixture
async def site(db):
    return await factories.add_site(db, **ROOM)


@pytest.fixture
async def crowd(database_url):
    """A database with room for many requests at once."""
    crowd = Database(database_url, pool_size=20)
    yield crowd
    await crowd.close()


async def statuses(db):
    found = await services.jobs.list_page(db, after=None, limit=200)
    return sorted(str(view.job.status) for view in found)


async def status(db, job):
    return (await services.jobs.get(db, job.id)).job.status


async def test_a_request_queues_behind_the_same_when_nothing_else_is_said(db, ask, site):
    assert (await ask()).id != (await ask()).id
    assert await statuses(db) == ["queued", "queued"]


async def test_the_identical_job_that_waits_is_returned(db, ask, site):
    first = await ask()
    assert (await ask(OnConflict.RETURN)).id == first.id
    assert (await ask(OnConflict.RETURN, revision="main", host="alpha")).id == first.id
    assert await statuses(db) == ["queued"]


@pytest.mark.parametrize("values", [{"revision": "v2"}, {"dry_run": True}, {"host": "beta"}])
async def test_what_differs_is_not_identical(db, ask, site, values):
    await factories.add_host(db, name="beta")
    first = await ask()
    assert (await ask(OnConflict.RETURN, **values)).id != first.id


async def test_a_job_that_begins_later_than_asked_is_not_returned(ask, site):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    first = await ask(not_before=tomorrow)
    assert (await ask(OnConflict.RETURN, not_before=tomorrow)).id == first.id
    assert (await ask(OnConflict.RETURN)).id != first.id


async def test_a_job_with_the_settings_of_yesterday_is_not_returned(db, ask, queue, vault):
    source = factories.MINIMAL_RECIPE + "settings:\n  WORKERS:\n    type: int\n    default: 2\n"
    host = await factories.add_host(db)
    await factories.add_instance(db, recipe=await factories.add_recipe(db, source), host=host)
    first = await ask()
    await services.instances.change(
        db, queue, vault, "shop", {"settings": {"WORKERS": 4}}, expected=None, terms=Terms("tests")
    )
    assert (await ask(OnConflict.RETURN)).id != first.id


@pytest.mark.parametrize("wanted", [OnConflict.RETURN, OnConflict.SUPERSEDE])
async def test_a_job_that_has_begun_is_neither_returned_nor_superseded(db, ask, site, wanted):
    first = await ask()
    await claim(db, str(first.id))
    assert (await ask(wanted)).id != first.id
    assert await status(db, first) is JobStatus.RUNNING


async def test_jobs_that_have_not_begun_are_superseded_with_their_app_servers(db, ask, site):
    older = [await ask(revision=revision) for revision in ("v1", "v2")]
    dry = await ask(dry_run=True)
    newer = await ask(OnConflict.SUPERSEDE, revision="v3")
    for job in older:
        view = await services.jobs.get(db, job.id)
        last = (await factories.events(db, job.id))[-1]
        assert view.job.status is JobStatus.SUPERSEDED
        assert view.app_server.status == "error"
        assert (last.type, last.data) == (EventType.JOB_SUPERSEDED, {"by": str(newer.id)})
    assert await status(db, dry) is JobStatus.QUEUED
    assert await status(db, newer) is JobStatus.QUEUED


async def test_another_instance_is_not_in_the_way(db, ask, site):
    host, _ = site
    recipe = await factories.add_recipe(db)
    await factories.add_instance(db, name="blog", recipe=recipe, host=host)
    other = await ask(instance="blog")
    await ask(OnConflict.REJECT)
    await ask(OnConflict.SUPERSEDE)
    assert await status(db, other) is JobStatus.QUEUED


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_request_is_rejected_while_the_same_has_not_ended(db, ask, site, has_begun):
    first = await ask()
    if has_begun:
        await claim(db, str(first.id))
    with pytest.raises(AlreadyWaiting, match=str(first.id)) as refused:
        await ask(OnConflict.REJECT)
    assert refused.value.job == first.id
    assert len(await statuses(db)) == 1


async def test_an_ended_job_rejects_nothing(db, ask, site):
    await finish(db, str((await ask()).id))
    await ask(OnConflict.REJECT)


async def test_jobs_for_a_host_are_compared_by_the_host(db, ask):
    for name in ("alpha", "beta"):
        await factories.add_host(db, name=name, host_key=None)
    first = await ask(**ENROLL)
    assert (await ask(OnConflict.RETURN, **ENROLL)).id == first.id
    with pytest.raises(AlreadyWaiting):
        await ask(OnConflict.REJECT, **ENROLL)
    await ask(OnConflict.REJECT, **{**ENROLL, "host": "beta"})
    await ask(OnConflict.SUPERSEDE, **ENROLL)
    assert await status(db, first) is JobStatus.SUPERSEDED


@pytest.mark.parametrize(
    ("wanted", "left"),
    [(OnConflict.RETURN, 1), (OnConflict.REJECT, 1), (OnConflict.SUPERSEDE, 50)],
)
async def test_fifty_at_once_leave_one_that_waits(crowd, queue, vault, site, wanted, left):
    async def ask():
        while True:
            # Fifty behind one row: a slow machine lets the last ones wait longer than they may.
            with contextlib.suppress(Unavailable):
                return await factories.request(crowd, queue, vault, on_conflict=wanted)

    asked = [ask() for _ in range(50)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    unexpected = [
        item
        for item in results
        if isinstance(item, BaseException) and not isinstance(item, AlreadyWaiting)
    ]
    assert unexpected == []
    found = await statuses(crowd)
    assert len(found) == left
    assert found.count("queued") == 1
