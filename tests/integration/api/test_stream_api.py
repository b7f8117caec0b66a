import asyncio
import json
from uuid import UUID

import pytest

from app import services, store
from app.domain.job import JobKind, JobStatus
from tests.integration.api.conftest import made
from tests.support import worked
from tests.support.problems import check_problem


@pytest.fixture
async def job(client, host):
    return await made(client.post("/v1/jobs", json={"kind": JobKind.ENROLL, "host": "alpha"}))


@pytest.fixture
def address(job):
    return job["links"]["stream"]


async def messages(response):
    """Each message as its fields; comments are {"": text}."""
    fields = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            assert name not in fields
            fields[name] = value.removeprefix(" ")
        elif fields:
            yield fields
            fields = {}


async def read(served, address, **headers):
    """All messages until the server ends the stream."""
    async with served.stream("GET", address, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        return [message async for message in messages(response)]


def told(found):
    return [json.loads(message["data"]) for message in found if "id" in message]


async def test_a_stream_gives_the_history_then_what_comes_then_the_end(served, db, job, address):
    seen = []
    async with served.stream("GET", address) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"] == "no-store"
        async for message in messages(response):
            seen.append(message)
            if message.get("id") == "1":
                await worked.tell(db, job["id"], "line\n\nline\r\n", "\u2028 é")
            if message.get("id") == "3":
                await worked.end(db, job["id"], status=JobStatus.FAILED)
    assert seen[0] == {"retry": "1000"}
    assert seen[-1] == {"event": "end", "data": '{"status": "failed"}'}
    polled = (await served.get(job["links"]["events"])).json()["items"]
    assert told(seen) == polled
    assert [message["id"] for message in seen[1:-1]] == ["1", "2", "3", "4"]


async def test_a_stream_that_was_cut_goes_on_where_its_reader_was(served, db, job, address):
    await worked.tell(db, job["id"], *"abcdefgh")
    await worked.end(db, job["id"])
    whole = told(await read(served, address))
    assert [event["seq"] for event in whole] == list(range(1, 11))
    for cut in range(11):
        assert told(await read(served, address, **{"Last-Event-ID": str(cut)})) == whole[cut:]
        assert told(await read(served, f"{address}?after={cut}")) == whole[cut:]


async def test_the_newest_number_a_reader_has_comes_in_the_header(served, db, job, address):
    await worked.tell(db, job["id"], "a")
    await worked.end(db, job["id"])
    found = await read(served, f"{address}?after=1", **{"Last-Event-ID": "2"})
    assert [event["seq"] for event in told(found)] == [3]
    found = await read(served, f"{address}?after=1", **{"Last-Event-ID": "no number"})
    assert [event["seq"] for event in told(found)] == [2, 3]


async def test_a_stream_of_a_job_that_has_ended_still_says_so(served, db, job, address):
    await worked.end(db, job["id"])
    found = await read(served, address, **{"Last-Event-ID": "2"})
    assert found == [{"retry": "1000"}, {"event": "end", "data": '{"status": "succeeded"}'}]


async def test_a_reader_that_leaves_frees_everything(served, app, wakeups, job, address):
    async with served.stream("GET", address) as response:
        found = messages(response)
        assert await anext(found) == {"retry": "1000"}
        assert len(app.state.streams) == 1
    await until(lambda: len(app.state.streams) == 0)
    assert wakeups.topics == []


async def test_a_process_that_stops_ends_its_streams_at_once(served, app, job, address):
    async with served.stream("GET", address) as response, asyncio.timeout(5):
        found = messages(response)
        assert [await anext(found), (await anext(found))["id"]] == [{"retry": "1000"}, "1"]
        served.stop()
        assert [message async for message in found] == []


async def test_a_stream_ends_with_its_token(served, app, db, address):
    token, text = await services.tokens.create(db, name="brief", scope="read")
    headers = {"Authorization": f"Bearer {text}"}
    async with served.stream("GET", address, headers=headers) as response:
        found = messages(response)
        assert await anext(found) == {"retry": "1000"}
        await services.tokens.revoke(db, token.id)
        await app.state.streams.end_without_token(db)
        assert [message.get("event") async for message in found] == [None]
    check_problem(await served.get(address, headers=headers), 401)


async def test_a_reader_too_many_is_sent_away_for_a_while(served, app, address):
    app.state.streams._most = 1
    async with served.stream("GET", address) as response:
        # To be kept: a generator that is forgotten closes its response.
        found = messages(response)
        assert await anext(found) == {"retry": "1000"}
        refused = await served.get(address)
        check_problem(refused, 503, "unavailable")
        assert refused.headers["retry-after"] == "1"


async def test_a_stream_of_nothing_is_a_problem_not_a_stream(served, db, job, address):
    check_problem(await served.get(address.replace(job["id"], str(UUID(int=1)))), 404)
    check_problem(await served.get(f"{address}?after=x"), 422)
    await worked.end(db, job["id"])
    async with db.transaction() as session:
        await store.database.driver(session).execute("DELETE FROM events")
    check_problem(await served.get(address), 410, "events-expired")


async def test_a_head_request_for_a_stream_ends(served, app, address):
    answer = await served.head(address)
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(app.state.streams) == 0


async def test_a_slow_reader_holds_no_connection_and_misses_nothing(served, app, db, job, address):
    pieces = 3_000
    for _ in range(pieces // 100):
        await worked.tell(db, job["id"], *["x" * 8_000] * 100)
    await worked.end(db, job["id"])
    host, port = served.base_url.host, served.base_url.port
    reader, writer = await asyncio.open_connection(host, port, limit=2**14)
    authorization = served.headers["Authorization"]
    writer.write(
        f"GET {address} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n".encode()
    )
    await reader.readline()
    # It reads no further: the server has to wait for it, with nothing but what it was sending.
    await until(lambda: len(app.state.streams) == 1)
    for _ in range(8):
        assert (await served.get(job["links"]["self"])).status_code == 200
    assert len(app.state.streams) == 1
    seen = 0
    while b"event: end" not in (line := await reader.readline()):
        seen += line.startswith(b"id: ")
    assert seen == pieces + 2
    writer.close()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
