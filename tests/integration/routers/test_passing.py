"""Every router: what clients and app servers say passes as it is, except who the client is."""

import asyncio
import contextlib

import pytest

from tests.support.router_load import KeepAlive, Lost


@pytest.fixture
async def link(router, route, site):
    """A client of a site that is in service."""
    await asyncio.to_thread(router.bring, route(site))
    return KeepAlive(router.http)


@pytest.fixture
def said(link):
    """The whole answer to these bytes, up to the end of the connection."""

    async def ask(text):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        try:
            writer.write(text.replace("\n", "\r\n").encode())
            async with asyncio.timeout(10):
                return (await reader.read()).decode()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    return ask


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded: for=9.9.9.9",
        "X-Real-IP: 9.9.9.9",
        "X-Forwarded-For: 9.9.9.9",
        "X_Forwarded_For: 9.9.9.9",
        "X-Forwarded_For: 9.9.9.9",
        "X-Forwarded-Host: 9.9.9.9",
        "X-Forwarded-Port: 999",
        "Proxy: http://9.9.9.9",
    ],
)
async def test_no_client_says_for_another_who_it_is(said, header):
    answer = await said(f"GET /head HTTP/1.1\nHost: site.example\n{header}\nConnection: close\n\n")
    assert answer.startswith("HTTP/1.1 200")
    assert header.partition(": ")[2] not in answer.partition("\r\n\r\n")[2]


async def test_every_router_tells_the_address_of_the_client(link):
    head = (await link.get("/head")).body.lower()
    assert "\r\nx-real-ip: 127.0.0.1\r\n" in head
    assert "\r\nx-forwarded-for: 127.0.0.1\r\n" in head


async def test_an_answer_with_many_cookies_passes(link):
    assert (await link.get("/wide")).status == 200


async def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(link):
    with pytest.raises(Lost):
        await link.get("/half")


async def test_a_path_arrives_as_it_was_sent(link, site):
    path = "/a%2Fb//c%20d?x=%7B&y={file./etc/passwd}&z=$host"
    await link.get(path)
    assert site.served == {path: 1}


async def test_a_client_of_http_1_0_is_served(said):
    assert (await said("GET / HTTP/1.0\nHost: site.example\n\n")).endswith("\r\n\r\na")


@pytest.mark.parametrize("host", ["SITE.example:{port}", "Site.Example.", "site.example.:{port}"])
async def test_a_host_is_the_same_site_however_it_is_written(said, link, host):
    host = host.format(port=link.port)
    answer = await said(f"GET /head HTTP/1.1\nHost: {host}\nConnection: close\n\n")
    assert answer.startswith("HTTP/1.1 200")
    assert f"\r\nhost: {host}\r\n".lower() in answer.lower()
