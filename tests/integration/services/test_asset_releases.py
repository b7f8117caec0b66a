"""What became of an app server's static files is kept once, by whoever has its job."""

from dataclasses import replace

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import JobStatus
from app.errors import LostOwnership, NotFound
from app.store.database import driver
from tests.support import factories
from tests.support.asset_reports import MISSING, failed, published

PUBLISHED, VERIFIED, FAILED = (
    EventType.ASSET_RELEASE_PUBLISHED,
    EventType.ASSET_RELEASE_VERIFIED,
    EventType.ASSET_RELEASE_FAILED,
)


@pytest.fixture
async def job(db, queue, vault):
    """Claimed; it has found out which commit it is about."""
    await factories.add_site(db)
    return await _begin(db, queue, vault)


async def _begin(db, queue, vault):
    view = await factories.request(db, queue, vault)
    work = await services.work.look(db, view.job.id)
    claim = await services.claiming.claim(db, work, attempt=1, worker="w", lock_names=["a"])
    await services.execution.set_commit(db, claim.job, "c0ffee")
    return claim.job


async def record(db, job, report):
    await services.asset_releases.record(db, job, report)


async def verify(db, job, release="c0ffee-1"):
    await services.asset_releases.mark_verified(db, job, release)


async def get(db, ref="c0ffee-1"):
    return await services.asset_releases.get(db, "shop", ref)


async def told(db, job):
    """Types and data of the events about asset releases."""
    events = await factories.events(db, job.id)
    return [(one.type, one.data) for one in events if one.type.startswith("asset_release.")]


async def kinds(db, job):
    return [kind for kind, _ in await told(db, job)]


async def test_a_release_is_kept_with_its_app_server_and_the_exact_commit(db, job):
    await record(db, job, published())
    row = await get(db)
    server = (await services.jobs.get(db, job.id)).app_server
    assert (row.app_server_id, row.job_id) == (server.id, job.id)
    assert (row.instance_id, row.revision) == (job.instance_id, "c0ffee")
    assert (row.status, row.hash, row.bytes) == ("published", "5d41402abc4b", 3_000_000_000)
    assert (row.warnings, row.errors, row.verified_at) == ([MISSING], [], None)


async def test_the_event_has_the_counts_and_not_the_lists(db, job):
    await record(db, job, published())
    [(kind, data)] = await told(db, job)
    assert kind == PUBLISHED
    assert data == {
        "id": str((await get(db)).id),
        "release": "c0ffee-1",
        "files": 12,
        "bytes": 3_000_000_000,
        "new_files": 3,
        "new_bytes": 2_500_000_000,
        "reused_files": 9,
        "copies": 20,
        "warnings_total": 1,
        "errors_total": 0,
        "manifest_url": published().manifest_url,
    }


async def test_a_step_that_is_done_again_changes_nothing_and_tells_nothing(db, job):
    await record(db, job, published())
    before = await get(db)
    await record(db, job, published(new=0, new_bytes=0, reused=12))
    after = await get(db)
    assert (after.id, after.new_files, after.updated_at) == (before.id, 3, before.updated_at)
    assert await kinds(db, job) == [PUBLISHED]


async def test_a_failure_is_told_once_even_when_its_commit_was_cut_off(db, job):
    await record(db, job, failed())
    await record(db, job, failed())
    assert await kinds(db, job) == [FAILED]


async def test_what_failed_may_be_published_after_all(db, job):
    await record(db, job, failed())
    await record(db, job, published())
    row = await get(db)
    assert (row.status, row.errors, row.errors_total, row.files) == ("published", [], 0, 12)
    assert await kinds(db, job) == [FAILED, PUBLISHED]


async def test_what_was_published_and_does_not_answer_has_failed(db, job):
    await record(db, job, published())
    await record(db, job, failed())
    await record(db, job, failed())
    row = await get(db)
    assert (row.status, row.errors, row.errors_total) == ("failed", [MISSING], 1)
    assert await kinds(db, job) == [PUBLISHED, FAILED]


async def test_a_failed_verification_takes_nothing_from_what_is_known_of_the_files(db, job):
    await record(db, job, published())
    await record(db, job, failed())
    await verify(db, job)
    row = await get(db)
    assert (row.files, row.new_files, row.warnings) == (12, 3, [MISSING])
    assert (row.hash, row.manifest_url) == (published().hash, published().manifest_url)
    assert (row.status, row.errors) == ("verified", [])


async def test_a_failed_publish_says_what_was_built(db, job):
    await record(db, job, replace(published(errors=[MISSING]), status=failed().status))
    row = await get(db)
    assert (row.status, row.errors, row.files) == ("failed", [MISSING], 12)


async def test_a_failure_of_another_release_says_nothing_of_the_files_of_this_one(db, job):
    await record(db, job, published())
    await record(db, job, failed(release="decade-1"))
    row = await get(db, "decade-1")
    assert (row.status, row.files, row.manifest_url) == ("failed", 0, None)


async def test_a_verified_release_says_since_when(db, job):
    await record(db, job, published())
    await verify(db, job)
    row = await get(db)
    assert row.status == "verified"
    assert row.verified_at >= row.created_at
    assert await kinds(db, job) == [PUBLISHED, VERIFIED]


async def test_what_answers_at_the_second_try_is_verified_without_errors(db, job):
    await record(db, job, failed())
    await verify(db, job)
    row = await get(db)
    assert (row.status, row.errors, row.errors_total) == ("verified", [], 0)


@pytest.mark.parametrize("late", [published, failed])
async def test_verified_is_not_taken_back_by_a_late_repeat(db, job, late):
    await record(db, job, published())
    await verify(db, job)
    await record(db, job, late())
    await verify(db, job)
    assert (await get(db)).status == "verified"
    assert await kinds(db, job) == [PUBLISHED, VERIFIED]


async def test_another_release_of_the_same_app_server_takes_the_place(db, job):
    """Its branch moved on while it waited for another worker."""
    await record(db, job, published())
    await verify(db, job)
    await services.execution.set_commit(db, job, "decade")
    await record(db, job, published(release="decade-1"))
    row = await get(db, "decade-1")
    assert (row.status, row.revision, row.verified_at) == ("published", "decade", None)
    with pytest.raises(NotFound):
        await get(db)


@pytest.mark.parametrize("release", ["c0ffee-1", "decade-1"])
async def test_nothing_is_verified_that_was_not_recorded(db, job, release):
    if release != "c0ffee-1":
        await record(db, job, published())
    await verify(db, job, release)
    assert VERIFIED not in await kinds(db, job)


async def test_who_lost_the_job_records_nothing(db, job):
    await services.claiming.hand_over(db, job)
    with pytest.raises(LostOwnership):
        await record(db, job, published())
    with pytest.raises(LostOwnership):
        await verify(db, job)
    assert await told(db, job) == []
    with pytest.raises(NotFound):
        await get(db)


async def test_the_releases_of_a_deleted_instance_are_gone(db, job):
    await record(db, job, published())
    await _end(db, job)
    await services.instances.delete(db, "shop", expected=None)
    async with db.statement() as session:
        assert await driver(session).fetchval("SELECT count(*) FROM asset_releases") == 0


async def test_two_app_servers_have_a_release_each(db, queue, vault, job):
    await record(db, job, published())
    await _end(db, job)
    second = await _begin(db, queue, vault)
    await record(db, second, published(release="c0ffee-2"))
    found = await services.asset_releases.list_page(db, "shop", after=None, limit=10)
    assert [row.release for row in found] == ["c0ffee-2", "c0ffee-1"]


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("c0f", "Did you mean c0ffee-1? List them: liftlock assets list shop"),
        ("c0fee-1", "Did you mean c0ffee-1? List them: liftlock assets list shop"),
        ("v99", "List them: liftlock assets list shop"),
    ],
)
async def test_an_unknown_release_names_the_nearest(db, job, typed, hint):
    await record(db, job, published())
    with pytest.raises(NotFound, match=f"Instance shop has no asset release '{typed}'") as raised:
        await get(db, typed)
    assert raised.value.hint == hint


async def test_a_release_of_another_instance_is_not_found(db, job):
    await record(db, job, published())
    row = await get(db)
    await factories.add_instance(db, recipe=await factories.add_recipe(db), name="other")
    with pytest.raises(NotFound):
        await services.asset_releases.get(db, "other", str(row.id))


async def _end(db, job):
    """The site is given up; its app server is no more."""
    await services.execution.move_app_server(db, job, AppServerStatus.WAITING)
    await services.ending.settle(
        db, job, status=JobStatus.FAILED, error={"code": "step-failed", "detail": "in a test"}
    )
    async with db.transaction() as session:
        server = await store.app_servers.find_of_job(session, job.id)
    assert server.status is AppServerStatus.ERROR
