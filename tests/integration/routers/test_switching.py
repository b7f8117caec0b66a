"""Every router: switched under load, closed and opened; nothing is lost or swallowed."""

import asyncio
import html

import pytest

from tests.support.router_load import WEBSOCKET, KeepAlive, Load, Site

MESSAGE = "Bye \"you\" $HOME `id`\n'x' %[src] {path} \\ </body> ü; @ROUTE@"


async def switched(router, route):
    await asyncio.to_thread(router.done, router.router.switch(route))


async def test_a_switch_under_load_loses_no_request(router, route):
    async with Site("a") as a, Site("b") as b:
        await asyncio.to_thread(router.bring, route(a))
        before = router.loads()
        async with Load(router.http) as load:
            for version in range(2, 6):
                await load.answered(60)
                await switched(router, route((a, b)[version % 2 == 0], version=version))
        assert not load.failures
        assert set(load.answers) == {"a", "b"}
        assert router.loads() == before


async def test_a_set_of_two_takes_over_from_another(router, route):
    async with Site("a") as a, Site("b") as b, Site("c") as c, Site("d") as d:
        await asyncio.to_thread(router.bring, route(a, b))
        async with Load(router.http) as load:
            await load.answered(60)
            await switched(router, route(c, d, version=2))
            await load.answered(60)
        assert not load.failures
        assert set(load.answers) == {"a", "b", "c", "d"}


async def test_after_a_switch_nothing_new_reaches_the_old_ones(router, route):
    async with Site("a") as a, Site("b") as b:
        await asyncio.to_thread(router.bring, route(a))
        links = [KeepAlive(router.http) for _ in range(10)]
        for link in links:
            await link.get()
        await switched(router, route(b, version=2))
        assert {(await link.get()).body for link in links} == {"b"}


async def test_a_request_under_way_ends_where_it_is(router, route):
    async with Site("a") as a, Site("b") as b:
        await asyncio.to_thread(router.bring, route(a))
        slow = [
            asyncio.create_task(KeepAlive(router.http).get(path)) for path in ("/slow", "/stream")
        ]
        async with asyncio.timeout(5):
            while not (a.served["/slow"] and a.served["/stream"]):
                await asyncio.sleep(0.01)
        await switched(router, route(b, version=2))
        assert {(await task).body[0] for task in slow} == {"a"}


async def test_a_websocket_passes_and_outlives_the_switch(router, route):
    async with Site("a") as a, Site("b") as b:
        await asyncio.to_thread(router.bring, route(a))
        link = KeepAlive(router.http)
        got = await link.get("/socket", **WEBSOCKET)
        await switched(router, route(b, version=2))
        link.writer.write(b"hello")
        assert (got.status, await link.reader.readexactly(7)) == (101, b"a hello")
        link.close()


async def test_a_stream_arrives_piece_by_piece(router, route):
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route(a))
        link = KeepAlive(router.http)
        reader, writer = await asyncio.open_connection("127.0.0.1", router.http)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: site.example\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"a\r\n")
        assert not reader._buffer.endswith(b"0\r\n\r\n")
        writer.close()
        link.close()


async def test_what_a_client_says_about_itself_is_not_passed_on(router, route):
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route(a))
        link = KeepAlive(router.http)
        got = await link.get("/head", X_Forwarded_For="9.9.9.9", X_Forwarded_Proto="https")
        head = got.body.lower()
        assert "9.9.9.9" not in head
        for line in (
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-proto: http\n",
            "host: site.example",
        ):
            assert line in head.replace("\r", "")


async def test_what_a_site_answers_with_503_is_its_own(router, route):
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route(a))
        got = await KeepAlive(router.http).get("/busy")
        assert (got.status, got.body) == (503, "a")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_closed_site_answers_people_and_programs(router, route, method):
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route(a))
        before = router.loads()
        router.done(router.router.close(route(a), message=MESSAGE, retry_after=77))
        link = KeepAlive(router.http)
        page = await link.ask(method, Accept="text/html,*/*")
        problem = await link.ask(method, Accept="application/json")
        assert (page.status, problem.status) == (503, 503)
        assert (page.headers["retry-after"], problem.headers["retry-after"]) == ("77", "77")
        assert html.escape(MESSAGE).replace("\n", "&#10;") in page.body
        assert page.headers["content-type"].startswith("text/html")
        assert problem.headers["content-type"] == "application/problem+json"
        assert '"status": 503' in problem.body
        assert router.loads() == before


async def test_an_opened_site_serves_again(router, route):
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route(a))
        for _ in range(2):
            router.done(router.router.close(route(a), message="Bye", retry_after=5))
        for _ in range(2):
            router.done(router.router.open(route(a)))
        assert (await KeepAlive(router.http).get()).body == "a"


async def test_a_closed_site_is_closed_after_a_restart_and_read_back(router, route):
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route(a))
        router.done(router.router.close(route(a), message="Bye", retry_after=5))
        await asyncio.to_thread(router.restart)
        assert (await KeepAlive(router.http).get()).status == 503
        router.done(router.router.read_back(route(a)))


async def test_a_switch_does_not_open_a_closed_site(router, route):
    async with Site("a") as a, Site("b") as b:
        await asyncio.to_thread(router.bring, route(a))
        router.done(router.router.close(route(a), message="Bye", retry_after=5))
        await switched(router, route(b, version=2))
        assert (await KeepAlive(router.http).get()).status == 503
        router.done(router.router.open(route(b, version=2)))
        assert (await KeepAlive(router.http).get()).body == "b"


async def test_without_app_servers_everybody_is_told_to_come_again(router, route):
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route())
        got = await KeepAlive(router.http).get()
        assert (got.status, got.headers["retry-after"]) == (503, "10")
        await switched(router, route(a, version=2))
        assert (await KeepAlive(router.http).get()).body == "a"
