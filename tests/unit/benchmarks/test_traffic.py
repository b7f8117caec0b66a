"""The client of `make bench-activation` counts every answer that is not right as a failure."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from benchmarks import small_site, traffic
from benchmarks.small_site import Site
from benchmarks.traffic import Traffic

#: Of so many requests the second meets the fault.
REQUESTS = 4


def whole(body, *, status=200):
    head = f"HTTP/1.1 {status} So\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def served(answer):
    """A port of this machine where connections are answered so."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
def asked(monkeypatch):
    """What a client counts of one kind of requests, one after the other."""

    async def ask(answer, kind="fast"):
        monkeypatch.setattr(traffic, "_SHARES", {kind: 1000})
        async with served(lambda *line: answer(client, *line)) as port:
            client = Traffic(port, "shop.localhost", rate=1000)
            await client.run(1)
        return client.counted

    return ask


def right_but(fault=None):
    """Answers rightly, but the second request with these bytes, and then the connection's end."""
    number = 0

    async def answer(client, reader, writer):
        nonlocal number
        with suppress(EOFError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
                number += 1
                if number == REQUESTS:
                    client.stop()
                if number == 2 and fault is not None:
                    writer.write(fault)
                    break
                writer.write(whole(path[1:].replace(b"/", b" ") + b" from one\n"))
        writer.close()

    return answer


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (whole(b"broken\n", status=500), "status 500"),
        (whole(b"try again\n", status=503), "status 503"),
        (whole(b"", status=204), "status 204"),
        (b"", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "short"),
        (whole(b"fast 1 from one\n")[:-3], "short"),
        (whole(b"fast 7 from one\n"), "wrong content"),
        (whole(b"slow 1 from one\n"), "wrong content"),
        (whole(b"fast 1 from one\nand more\n"), "wrong content"),
        (whole(b""), "wrong content"),
        (b"HTTP/1.1 200 OK\r\n\r\nfast 1 from one\n", "no length"),
    ],
)
async def test_an_answer_that_is_not_right_is_one_failure(asked, fault, kind):
    counted = await asked(right_but(fault))
    assert counted.wrong == {kind: 1}
    assert counted.words == [f"fast 1: {kind}"]
    assert (counted.sent, counted.right) == (REQUESTS, {"fast": REQUESTS - 1})
    assert (counted.servers, len(counted.fast)) == ({"one": REQUESTS - 1}, REQUESTS - 1)
    assert counted.connections == 2


async def test_right_answers_over_one_connection_are_no_failure(asked):
    counted = await asked(right_but())
    assert (counted.wrong, counted.right) == ({}, {"fast": REQUESTS})
    assert (counted.sent, counted.connections) == (REQUESTS, 1)


async def test_an_answer_that_does_not_come_is_a_failure(asked, monkeypatch):
    monkeypatch.setattr(traffic, "_PATIENCE", 0.05)

    async def silent(client, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        client.stop()
        await reader.read()
        writer.close()

    counted = await asked(silent)
    assert (counted.sent, counted.wrong, counted.right) == (1, {"timeout": 1}, {})


async def test_a_router_that_takes_no_connection_is_a_failure():
    async with served(lambda *_: None) as port:
        client = Traffic(port, "shop.localhost", rate=1000)
    client.counted.failed = lambda kind, _: (counted.append(kind), client.stop())
    counted = []
    await client.run(1)
    assert counted == ["refused"]


@pytest.mark.parametrize("kind", ["fast", "slow", "stream", "echo"])
async def test_each_kind_of_answer_of_the_site_is_right(asked, monkeypatch, kind):
    monkeypatch.setattr(small_site, "SLOW", 0)
    monkeypatch.setattr(small_site, "STREAMED", 0)
    site = Site("one")

    async def answer(client, reader, writer):
        client.stop()
        await site.serve(reader, writer)

    counted = await asked(answer, kind)
    assert (counted.wrong, counted.right) == ({}, {kind: 1})


async def test_a_broken_site_answers_nothing_rightly(asked):
    site = Site("one")
    site.broken = True

    async def answer(client, reader, writer):
        client.stop()
        await site.serve(reader, writer)

    counted = await asked(answer)
    assert (counted.wrong, counted.right) == ({"status 500": 1}, {})
