import asyncio

import httpx
import pytest

from app import store
from app.domain.event import EventType
from app.domain.job import JobKind
from tests.integration.api.conftest import made
from tests.support import worked
from tests.support.problems import check_problem


@pytest.fixture
async def job(client, host):
    return await made(client.post("/v1/jobs", json={"kind": JobKind.ENROLL, "host": "alpha"}))


@pytest.fixture
def address(job):
    return job["links"]["logs"]


async def step(db, job, number, title, *texts):
    """A step that begins and prints."""
    data = {"number": number, "step": f"step-{number}"}
    output = [(EventType.STEP_OUTPUT, {**data, "text": text}) for text in texts]
    async with db.transaction() as session:
        row = await store.jobs.get(session, worked.UUID(job["id"]))
        started = (EventType.STEP_STARTED, {**data, "title": title})
        await store.events.append(session, row.id, started, *output)


async def test_the_log_is_the_output_of_all_steps_each_with_its_title(served, db, job, address):
    await step(db, job, 1, "Check the host", "disk", " ok\nno end of line")
    await step(db, job, 2, "Check out", "HEAD\n", "[redacted] é\n")
    answer = await served.get(address)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (
        "[1] Check the host\ndisk ok\nno end of line\n[2] Check out\nHEAD\n[redacted] é\n"
    )
    assert (await served.get(f"{address}?step=2")).text == "[2] Check out\nHEAD\n[redacted] é\n"
    assert (await served.get(f"{address}?step=9")).text == ""
    check_problem(await served.get(f"{address}?step=0"), 422)


async def test_a_followed_log_ends_with_the_job(served, db, job, address):
    async with served.stream("GET", f"{address}?follow=true") as response:
        found = response.aiter_text()
        await step(db, job, 1, "Look", "first\n")
        text = await anext(found)
        assert text == "[1] Look\nfirst\n"
        await worked.tell(db, job["id"], "second\n")
        await worked.end(db, job["id"])
        assert "".join([piece async for piece in found]) == "second\n"


async def test_a_log_that_was_cut_does_not_look_whole(served, app, db, job, address):
    await step(db, job, 1, "Look", "first\n")
    async with served.stream("GET", f"{address}?follow=true") as response:
        found = response.aiter_text()
        await anext(found)
        app.state.streams.stop()
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(found)


async def test_a_log_of_many_megabytes_comes_in_pieces(served, db, job, address):
    line = "x" * 9_999 + "\n"
    for _ in range(10):
        await worked.tell(db, job["id"], *[line] * 100)
    size = pieces = 0
    async with served.stream("GET", address) as response:
        assert "content-length" not in response.headers
        async for piece in response.aiter_raw():
            size, pieces = size + len(piece), pieces + 1
    assert size == 1_000 * 10_000
    assert pieces > 10


async def test_a_log_that_is_not_kept_any_more_is_gone(served, db, job, address):
    await worked.end(db, job["id"])
    async with db.transaction() as session:
        await store.database.driver(session).execute("DELETE FROM events")
    check_problem(await served.get(address), 410, "events-expired")


async def test_the_end_of_a_quiet_job_ends_its_log(served, db, job, address):
    following = asyncio.create_task(served.get(f"{address}?follow=true"))
    await worked.end(db, job["id"])
    assert (await following).text == ""
