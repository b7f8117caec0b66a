"""The notes about asset releases, from the engine to the database, without a secret in them."""

import time
from datetime import timedelta

import pytest

from app import services
from app.domain.job import LeasePolicy
from app.domain.redaction import MASK, Redactor
from app.errors import LostOwnership
from tests.support import factories
from tests.support.asset_reports import MISSING, TOLD
from worker.jobs.journal import Journal
from worker.jobs.lease import Lease
from worker.steps.step import Note

SECRET = "very-secret-value"


@pytest.fixture
async def job(db, queue, vault):
    await factories.add_site(db)
    view = await factories.request(db, queue, vault)
    work = await services.work.look(db, view.job.id)
    return (await services.claiming.claim(db, work, attempt=1, worker="w", lock_names=["a"])).job


@pytest.fixture
async def note(db, job):
    """Give the journal a note, as a step does."""
    lease = Lease(LeasePolicy(lease=timedelta(minutes=5)), since=time.monotonic())
    journal = Journal(db, job, Redactor([SECRET]), lease=lease)

    async def give(what, **data):
        await journal.note(Note(what, data), {"commit": "c0ffee"})

    yield give
    await journal.close()


async def get(db):
    return await services.asset_releases.get(db, "shop", "c0ffee-1")


async def test_a_release_is_published_and_verified(db, job, note):
    await note("app-server.commit")
    await note("asset-release.published", **TOLD)
    await note("asset-release.verified", release="c0ffee-1")
    row = await get(db)
    assert (row.status, row.revision, row.files) == ("verified", "c0ffee", 12)
    types = await factories.event_types(db, job.id)
    assert types[-2:] == ["asset_release.published", "asset_release.verified"]


async def test_a_release_fails_with_its_errors(db, note):
    await note("asset-release.failed", release="c0ffee-1", errors=[MISSING])
    row = await get(db)
    assert (row.status, row.errors) == ("failed", [MISSING])


async def test_what_stands_in_files_and_compilers_say_shows_no_secret(db, job, note):
    told = {**MISSING, "message": f"lessc: key={SECRET}", "reference": f"?token={SECRET}"}
    await note(
        "asset-release.published",
        **{**TOLD, "warnings": [told], "manifest_url": f"https://{SECRET}/staticfiles.json"},
    )
    row = await get(db)
    assert row.warnings[0]["message"] == f"lessc: key={MASK}"
    assert SECRET not in str(row.warnings)
    events = str([event.data for event in await factories.events(db, job.id)])
    assert SECRET not in events
    assert f"https://{MASK}/staticfiles.json" in events


async def test_bytes_that_are_no_text_are_stored_as_something_that_is(db, note):
    odd = {**MISSING, "message": "a\0b\x1b[1mc", "file": "css/\udcff.css", "nearest": ["\ud800"]}
    await note("asset-release.failed", release="c0ffee-1", errors=[odd])
    [problem] = (await get(db)).errors
    assert problem["message"] == "a\ufffdb[1mc"
    assert (problem["file"], problem["nearest"]) == ("css/?.css", ["?"])


async def test_an_attempt_that_lost_the_job_notes_nothing(db, job, note):
    await services.claiming.hand_over(db, job)
    for what in ("asset-release.published", "asset-release.verified"):
        with pytest.raises(LostOwnership):
            await note(what, **TOLD)


async def test_a_note_that_nobody_knows_is_a_mistake(note):
    with pytest.raises(ValueError, match=r"No journal entry is called 'asset-release\.sold'\."):
        await note("asset-release.sold")
