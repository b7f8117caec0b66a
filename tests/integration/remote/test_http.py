"""Looking at a port of the host from inside."""

import asyncio
import socket

import pytest

from tests.support.sshd import running_sshd
from worker.remote.errors import ForwardingRefused
from worker.steps.step import Command


@pytest.fixture
async def website():
    """A server that answers every request with what the test put into `answer`."""

    class Website:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        request = b""
        silent = False

        async def serve(self, reader, writer):
            try:
                self.request = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:  # somebody only looked whether the port is open
                writer.close()
                return
            if self.silent:
                await reader.read()
            writer.write(self.answer)
            await writer.drain()
            writer.close()

    website = Website()
    server = await asyncio.start_server(website.serve, "127.0.0.1", 0)
    website.port = server.sockets[0].getsockname()[1]
    yield website
    server.close()
    await server.wait_closed()


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def host(machine, connect):
    return connect(machine)


async def test_a_page_is_fetched_from_inside_the_host(host, website):
    answer = await host.http_get(website.port, "/health?x=1", timeout=5)
    assert (answer.status, answer.body, answer.problem) == (200, "hello", None)
    assert website.request.startswith(b"GET /health?x=1 HTTP/1.1\r\n")
    assert f"127.0.0.1:{website.port}".encode() in website.request


async def test_a_chunked_body_is_put_together(host, website):
    head = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
    website.answer = head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    answer = await host.http_get(website.port, "/", timeout=5)
    assert (answer.status, answer.body) == (503, "abcde")


async def test_a_large_body_is_cut(host, website):
    website.answer = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1_000_000
    answer = await host.http_get(website.port, "/", timeout=5)
    assert len(answer.body) == 65536


async def test_what_is_no_http_is_a_problem(host, website):
    website.answer = b"220 mail.example ESMTP\r\n"
    answer = await host.http_get(website.port, "/", timeout=5)
    assert answer.status == 0
    assert "does not speak HTTP" in answer.problem


async def test_silence_ends_after_the_timeout(host, website):
    website.silent = True
    answer = await host.http_get(website.port, "/", timeout=0.3)
    assert (answer.status, answer.problem) == (0, "no answer within 0.3 s")


async def test_a_look_at_a_site_waits_for_no_step(server, connect, website):
    host, said = connect(server), asyncio.Queue()
    command = Command("echo begun; until [ -e ../go ]; do sleep 0.05; done")
    steps = [
        asyncio.create_task(host.run(command, name=f"j-{n}", secrets={}, output=said.put))
        for n in range(9)  # more than a connection carries
    ]
    for _ in range(8):
        await said.get()
    answer = await host.http_get(website.port, "/", timeout=5)
    (server.home / "go").touch()
    assert answer.status == 200
    assert await asyncio.gather(*steps) == [0] * 9


async def test_a_closed_port_is_a_problem(host, closed_port):
    answer = await host.http_get(closed_port, "/", timeout=5)
    assert (answer.status, answer.problem) == (0, "the port refuses connections")


async def test_an_open_port_is_told_from_a_closed_one(host, website, closed_port):
    assert await host.port_open(website.port)
    assert not await host.port_open(closed_port)


async def test_forbidden_forwarding_is_told_from_a_closed_port(server, connect, website):
    server.forwarding = False
    host = connect(server)
    with pytest.raises(ForwardingRefused, match="forbids forwarding"):
        await host.http_get(website.port, "/", timeout=5)
    with pytest.raises(ForwardingRefused):
        await host.port_open(website.port)


@pytest.mark.sshd
async def test_sshd_that_forbids_forwarding_is_told_from_a_closed_port(tmp_path, connect, website):
    async with running_sshd(tmp_path / "machine", extra="AllowTcpForwarding no") as sshd:
        with pytest.raises(ForwardingRefused) as caught:
            await connect(sshd).http_get(website.port, "/", timeout=5)
    assert "AllowTcpForwarding" in caught.value.hint
