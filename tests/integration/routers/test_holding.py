"""Caddy holds requests while nobody answers, for as long as it was told and no longer."""

import asyncio
import time

import pytest

from app.domain.router import RouterKind
from tests.support.router_load import KeepAlive, Site
from tests.support.stack import free_port

pytestmark = pytest.mark.parametrize("kind", [RouterKind.CADDY], indirect=True)

#: Seconds that a request is held: far longer than what it is held for; and shortly.
LONG, SHORT = 30.0, 1.0


@pytest.fixture
async def gone():
    """An app server that answers no more."""
    return Site("gone", port=free_port())


async def asked(router):
    """A request under way."""
    request = asyncio.create_task(KeepAlive(router.http).get())
    done, _ = await asyncio.wait({request}, timeout=0.5)
    assert not done, "it was not held"
    return request


async def test_a_request_in_the_gap_is_answered_by_the_new_app_server(router, route, site, gone):
    await asyncio.to_thread(router.bring, route(gone, hold=LONG))
    request = await asked(router)
    await asyncio.to_thread(router.done, router.router.switch(route(site, hold=LONG, version=2)))
    got = await request
    assert (got.status, got.body) == (200, "a")


async def test_a_request_in_the_gap_is_answered_once_the_app_server_is_back(router, route, site):
    await asyncio.to_thread(router.bring, route(site, hold=LONG))
    site.server.close()
    request = await asked(router)
    site.server = await asyncio.start_server(site._serve, "127.0.0.1", site.port)
    assert (await request).status == 200


async def test_a_request_that_is_held_in_vain_is_told_to_come_again(router, route, gone):
    await asyncio.to_thread(router.bring, route(gone, hold=SHORT))
    began = time.monotonic()
    got = await KeepAlive(router.http).get()
    assert (got.status, got.headers["retry-after"]) == (502, "10")
    assert SHORT <= time.monotonic() - began < SHORT + 5


async def test_what_a_site_answers_with_503_is_not_held(router, route, site):
    await asyncio.to_thread(router.bring, route(site, hold=LONG))
    got = await KeepAlive(router.http).get("/busy")
    assert (got.status, got.body, site.served) == (503, "a", {"/busy": 1})


async def test_without_it_nobody_waits(router, route, gone):
    await asyncio.to_thread(router.bring, route(gone, hold=LONG))
    await asyncio.to_thread(router.bring, route(gone, version=2))
    assert (await KeepAlive(router.http).get()).status == 502
