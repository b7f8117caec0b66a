"""Every router on hosts that lack one thing or another."""

import asyncio
import shutil

import pytest

from tests.support.router_load import KeepAlive, Site
from tests.support.ssh_server import links_to


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("perl", "exit 1"),
        ("mv", 'case $1 in -fT) exit 1 ;; esac; exec /bin/mv "$@"'),
    ],
)
async def test_it_works_without(router, route, instead, name, text):
    instead(name, text)
    async with Site("a") as a, Site("b") as b:
        await asyncio.to_thread(router.bring, route(a))
        await asyncio.to_thread(router.bring, route(b, version=2))
        assert (await KeepAlive(router.http).get()).body == "b"


async def test_it_runs_under_busybox(router, route):
    programs = router.folder / "bin"
    router.env["PATH"] = links_to("busybox", programs)
    (programs / "perl").symlink_to(shutil.which("perl"))
    router.shell = "sh"
    async with Site("a") as a:
        await asyncio.to_thread(router.bring, route(a))
        router.done(router.router.close(route(a), message="x", retry_after=3))
        router.done(router.router.open(route(a)))
        assert (await KeepAlive(router.http).get()).body == "a"


def test_what_is_missing_is_said(router, instead):
    instead("perl", "exit 1")
    instead("python3", "exit 127")
    config = router.config.rename(router.folder / "elsewhere")
    ran = router.run(router.router.find())
    config.rename(router.config)
    assert ran.exit_code == 61
    assert f"the file {router.config} cannot be read" in ran.output


def test_a_program_that_does_not_run_is_said(router):
    router.stop()
    ran = router.run(router.router.find())
    assert ran.exit_code == 63
    assert "does not answer" in ran.output


def test_looking_changes_nothing(router):
    before = sorted(router.base.rglob("*"))
    router.done(router.router.find())
    assert sorted(router.base.rglob("*")) == before


def test_a_base_folder_that_no_router_can_be_told_is_refused(router, route):
    router.base = router.folder / 'a"$b'
    ran = router.run(router.router.configure(route()))
    assert ran.exit_code == 61
    assert "no router can be told" in ran.output
