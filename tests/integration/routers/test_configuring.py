"""Every router: brought to a route, read back, refused, forgotten."""

import asyncio

import pytest

from app.domain.router import Tls, TlsMode
from tests.support.router_load import KeepAlive, Lost


@pytest.fixture
async def brought(router, route, site):
    """The router, with a route to `site`."""
    await asyncio.to_thread(router.bring, route(site))
    return router


async def test_a_route_passes_requests_on(brought):
    assert (await KeepAlive(brought.http).get()).body == "a"


async def test_it_tells_the_upstreams_as_they_are(brought, route, site):
    ran = brought.done(brought.router.read_back(route(site)))
    assert ran.facts["upstreams"] == site.address


async def test_configured_again_it_reloads_nothing(brought, route, site):
    before = brought.loads()
    ran = brought.done(brought.router.configure(route(site)))
    assert (ran.facts["reloaded"], brought.loads()) == ("no", before)


async def test_other_upstreams_and_more_of_them_reload_nothing(brought, route, site, other):
    before = brought.loads()
    await asyncio.to_thread(brought.bring, route(site, other, version=2))
    await asyncio.to_thread(brought.bring, route(version=3))
    assert brought.loads() == before


async def test_every_command_may_be_repeated(brought, route, site, other):
    new = route(other, version=2)
    for command in (brought.router.switch, brought.router.read_back) * 2:
        brought.done(command(new))
    assert (await KeepAlive(brought.http).get()).body == "b"


async def test_a_route_of_a_lower_version_is_refused(brought, route, site, other):
    brought.done(brought.router.switch(route(other, version=5)))
    ran = brought.run(brought.router.switch(route(site, version=4)))
    assert ran.exit_code == 64
    assert "found version 5, wanted 4" in ran.output
    assert (await KeepAlive(brought.http).get()).body == "b"


async def test_a_lower_version_is_not_configured_either(brought, route, site, other):
    brought.done(brought.router.switch(route(other, version=5)))
    assert brought.run(brought.router.configure(route(site, version=4))).exit_code == 64


async def test_two_upstreams_share_the_requests(router, route, site, other):
    await asyncio.to_thread(router.bring, route(site, other))
    link = KeepAlive(router.http)
    answers = {(await link.get()).body for _ in range(60)}
    assert answers == {"a", "b"}


async def test_after_a_restart_it_is_as_it_was(brought, route, other):
    brought.done(brought.router.switch(route(other, version=2)))
    await asyncio.to_thread(brought.restart)
    brought.done(brought.router.read_back(route(other, version=2)))
    assert (await KeepAlive(brought.http).get()).body == "b"


async def test_a_switch_by_another_hand_is_read_back(brought, route, site, other):
    brought.done(brought.router.switch(route(other, version=2)))
    ran = brought.run(brought.router.read_back(route(site)))
    assert ran.exit_code == 64
    assert f"found: {other.address}, wanted: {site.address}" in ran.output


async def test_an_edited_file_is_read_back_and_mended(brought, route, site):
    file = brought.site("guest")
    file.write_text(file.read_text() + "\n# by hand\n")
    assert brought.run(brought.router.read_back(route(site))).exit_code == 64
    assert brought.done(brought.router.configure(route(site))).facts["reloaded"] == "yes"
    brought.done(brought.router.read_back(route(site)))


async def test_a_program_that_runs_without_the_route_is_read_back_and_mended(brought, route, site):
    file = brought.site("guest")
    kept, hidden = file.read_text(), file.with_suffix(".hidden")
    common = brought.sites / f"liftlock{file.suffix}"
    frontend = common.read_text() if common.exists() else None
    file.rename(hidden)
    common.unlink(missing_ok=True)
    await asyncio.to_thread(brought.restart)
    file.write_text(kept)
    if frontend is not None:
        common.write_text(frontend)
    ran = brought.run(brought.router.read_back(route(site)))
    assert ran.exit_code == 64
    await asyncio.to_thread(brought.bring, route(site))


async def test_another_domain_is_another_site(router, route, site, other):
    await asyncio.to_thread(router.bring, route(site))
    second = route(other, domain="other.example", instance="second")
    await asyncio.to_thread(router.bring, second)
    found = [
        (await KeepAlive(router.http, name).get()).body
        for name in ("site.example", "other.example")
    ]
    assert found == ["a", "b"]


async def test_without_a_domain_it_has_all_other_names(router, route, site, other):
    await asyncio.to_thread(router.bring, route(site))
    await asyncio.to_thread(router.bring, route(other, domain="", instance="rest"))
    found = [
        (await KeepAlive(router.http, name).get()).body for name in ("site.example", "x.example")
    ]
    assert found == ["a", "b"]


async def test_a_forgotten_route_is_gone_and_may_be_forgotten_again(brought):
    for _ in range(2):
        brought.done(brought.router.forget("guest"))
    assert not brought.folder_of("guest").exists()
    with pytest.raises((Lost, AssertionError)):
        assert (await KeepAlive(brought.http).get()).status == 200


async def test_a_refused_configuration_is_taken_back(brought, route, site):
    missing = Tls(TlsMode.FILES, "/nowhere/c.pem", "/nowhere/k.pem")
    kept = brought.site("guest").read_text()
    ran = brought.run(brought.router.configure(route(site, version=2, tls=missing)))
    assert ran.exit_code == 62
    assert brought.site("guest").read_text() == kept
    assert (await KeepAlive(brought.http).get()).body == "a"


async def test_after_a_refusal_the_program_can_still_restart(brought, route, site):
    missing = Tls(TlsMode.FILES, "/nowhere/c.pem", "/nowhere/k.pem")
    brought.run(brought.router.configure(route(site, version=2, tls=missing)))
    await asyncio.to_thread(brought.restart)
    assert (await KeepAlive(brought.http).get()).body == "a"
