"""Every router: killed, or misled by another's hand; it is never worse off than before."""

import asyncio
import os
import signal

import pytest

from tests.support.router_load import KeepAlive


@pytest.fixture
async def brought(router, route, site):
    """The router, with a route to `site`."""
    await asyncio.to_thread(router.bring, route(site))
    return router


async def served(router, name="site.example"):
    got = await KeepAlive(router.http, name).get()
    return got.body


def without_end(router, number):
    """From now on each script is killed before its command of that number."""
    trap = router.folder / "trap"
    trap.write_text(
        f"n=0; set -T; trap 'n=$((n+1)); [ \"$n\" -lt {number} ] || kill -9 $$' DEBUG\n"
    )
    router.shell, router.env["BASH_ENV"] = "bash", str(trap)


def whole_again(router):
    router.shell = "/bin/sh"
    del router.env["BASH_ENV"]


@pytest.mark.parametrize("number", [20, 45, 60, 75, 90])
async def test_a_command_that_is_killed_anywhere_is_repeated(brought, route, site, other, number):
    new = route(other, version=2, domain="new.example")
    without_end(brought, number)
    assert brought.run(brought.router.configure(new)).exit_code != 0
    whole_again(brought)
    assert "a" in [await served(brought), await served(brought, "new.example")]
    await asyncio.to_thread(brought.bring, new)
    assert await served(brought, "new.example") == "b"


async def test_a_main_file_that_is_broken_is_named_and_nothing_is_changed(brought, route, other):
    before = brought.site("guest").read_text(), brought.config.read_text()
    brought.config.write_text(before[1] + "\nno such word here {\n")
    ran = brought.run(brought.router.configure(route(other, version=2, domain="new.example")))
    assert ran.exit_code == 62
    assert str(brought.config) in ran.output
    assert brought.site("guest").read_text() == before[0]
    assert await served(brought) == "a"
    brought.config.write_text(before[1])
    await asyncio.to_thread(brought.restart)
    assert await served(brought) == "a"


async def test_a_main_file_that_is_broken_does_not_stop_a_switch(brought, route, other):
    brought.config.write_text(brought.config.read_text() + "\nno such word here {\n")
    brought.done(brought.router.switch(route(other, version=2)))
    assert await served(brought) == "b"


async def test_a_router_that_was_killed_is_as_it_was_when_it_is_back(brought, route, other):
    new = route(other, version=2)
    brought.done(brought.router.switch(new))
    for process in (brought.process.pid, *map(int, brought.children())):
        os.kill(process, signal.SIGKILL)
    brought.process.wait()
    assert brought.run(brought.router.read_back(new)).exit_code == 63
    await asyncio.to_thread(brought.start)
    brought.done(brought.router.read_back(new))
    assert brought.done(brought.router.configure(new)).facts["reloaded"] == "no"
    assert await served(brought) == "b"


async def test_many_instances_are_brought_at_the_same_time(router, route, site):
    names = [f"site{number}" for number in range(4)]
    await asyncio.gather(
        *(
            asyncio.to_thread(router.bring, route(site, instance=name, domain=f"{name}.example"))
            for name in names
        )
    )
    assert [await served(router, f"{name}.example") for name in names] == ["a"] * 4
    for name in names:
        router.done(router.router.read_back(route(site, instance=name, domain=f"{name}.example")))
