import asyncio
import time

import pytest

from app import store
from app.domain.job import JobKind
from tests.integration.api.conftest import made
from tests.support import worked
from tests.support.problems import check_problem


@pytest.fixture
async def job(client, host):
    return await made(client.post("/v1/jobs", json={"kind": JobKind.ENROLL, "host": "alpha"}))


@pytest.fixture
def events(client, job):
    """Asks for the events of the job."""

    def ask(query="", **headers):
        return client.get(f"{job['links']['events']}?{query}", headers=headers)

    return ask


def numbers(response):
    return [event["seq"] for event in response.json()["items"]]


async def test_events_are_read_by_number(events, db, job):
    await worked.tell(db, job["id"], "hello\n")
    first = await events("limit=1")
    assert [event["type"] for event in first.json()["items"]] == ["job.queued"]
    assert first.json()["next"] == 1
    assert first.links["next"]["url"] == f"{job['links']['events']}?limit=1&after=1"
    second = (await events("after=1")).json()
    [event] = second["items"]
    assert (event["seq"], event["type"], event["data"]["text"]) == (2, "step.output", "hello\n")
    assert second["next"] is None
    assert (await events("after=99")).json() == {"items": [], "next": None}


@pytest.mark.parametrize("after", ["-1", "x", "99999999999999999999"])
async def test_what_is_no_number_of_an_event_is_refused(events, after):
    check_problem(await events(f"after={after}"), 422)


async def test_an_answer_has_at_most_500_events(events, db, job):
    await worked.tell(db, job["id"], *["x"] * 600)
    assert numbers(await events("limit=500")) == list(range(1, 501))
    check_problem(await events("limit=501"), 422)


async def test_an_answer_that_the_caller_has_is_not_sent_again(events, db, job):
    first = await events()
    assert first.headers["etag"] == 'W/"1"'
    again = await events(**{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", 'W/"1"')
    assert again.headers["cache-control"] == "no-store"
    await worked.tell(db, job["id"], "new")
    assert numbers(await events("after=1", **{"If-None-Match": 'W/"1"'})) == [2]


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        (['W/"7", "1"'], 304),
        (['W/"1"', 'W/"3"'], 304),
        (["*"], 304),
        (['"2", W/"7"'], 200),
        (["1"], 200),
    ],
)
async def test_one_of_several_known_answers_is_enough(client, job, tags, status):
    headers = [("If-None-Match", tag) for tag in tags]
    answer = await client.get(f"{job['links']['self']}/events", headers=headers)
    assert answer.status_code == status


async def test_a_patient_caller_gets_the_next_event_when_it_comes(events, db, job, wakeups):
    asking = asyncio.create_task(events("after=1", Prefer="wait=25"))
    await until_waiting(wakeups)
    await worked.tell(db, job["id"], "new")
    answer = await asking
    assert numbers(answer) == [2]
    assert answer.headers["preference-applied"] == "wait=25"


async def test_a_patient_caller_gets_at_once_what_is_there(events):
    started = time.monotonic()
    assert numbers(await events(Prefer="wait=25")) == [1]
    assert time.monotonic() - started < 10


async def test_a_wait_in_vain_ends_with_nothing(events):
    answer = await events("after=1", Prefer="respond-async, wait=1")
    assert answer.json() == {"items": [], "next": None}
    unchanged = await events("after=1", **{"Prefer": "wait=1", "If-None-Match": 'W/"1"'})
    assert unchanged.status_code == 304


async def test_nobody_waits_for_a_job_that_has_ended(events, db, job):
    await worked.end(db, job["id"])
    started = time.monotonic()
    assert numbers(await events("after=2", Prefer="wait=25")) == []
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("header", "applied"),
    [
        ("wait=0", "wait=0"),
        ("WAIT=0;x=1", "wait=0"),
        ('handling=lenient, wait="0"', "wait=0"),
        ("wait=soon", None),
        ("wait=-1", None),
        ("await=3", None),
        ("", None),
    ],
)
async def test_a_preference_that_cannot_be_read_is_no_error(events, header, applied):
    answer = await events("after=1", Prefer=header)
    assert answer.status_code == 200
    assert answer.headers.get("preference-applied") == applied


async def test_events_that_are_not_kept_any_more_are_gone(events, db, job):
    await worked.end(db, job["id"])
    async with db.transaction() as session:
        await store.database.driver(session).execute("DELETE FROM events")
    problem = check_problem(await events(), 410, "events-expired")
    assert f"liftlock jobs show {job['id']}" in problem["hint"]
    check_problem(await events("", Prefer="wait=25"), 410)
    assert (await events("after=2")).json()["items"] == []


async def until_waiting(wakeups):
    async with asyncio.timeout(10):
        while not wakeups.topics:
            await asyncio.sleep(0.005)
