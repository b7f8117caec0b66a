"""A publishing process that is killed: a manifest is there only when everything is."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.built_folders import hashed, write_built
from tests.support.faulty_proxy import Fault
from worker.assets.manifest import DJANGO, OWN
from worker.assets.publishing import headers
from worker.assets.publishing.inspecting import inspect
from worker.assets.publishing.published import list_revisions, read_manifest
from worker.assets.publishing.store import PART

PROGRAM = """
import asyncio, sys
from pathlib import Path
from worker.assets.publishing.publish import publish
from worker.assets.publishing.store import open_store
asyncio.run(publish(Path(sys.argv[1]), open_store(sys.argv[2]), "v1", at_once=4))
"""
FILES = {f"js/{number}.js": b"//%d\n" % number * 500 for number in range(60)} | {
    "wasm/large.wasm": b"large" * (PART // 5 + 9)
}


def first(method, ending=""):
    """The first request of a kind."""
    return lambda requests: (
        requests[-1].method == method and requests[-1].path.partition("?")[0].endswith(ending)
    )


def objects_put(number):
    """So many files in this run."""

    def reached(requests):
        names = [r.path for r in requests if r.method == "PUT" and "/_releases/" not in r.path]
        return len(names) == number

    return reached


KILLS = [
    first("GET"),
    first("PUT"),
    objects_put(1),
    *[objects_put(12)] * 4,
    first("POST"),
    first("PUT", DJANGO),
    first("PUT", OWN),
]


class Killing:
    """One run of the program, which is killed at a request that the server never sees."""

    def __init__(self, proxy, is_time):
        self.proxy, self.is_time, self.process, self.killed = proxy, is_time, None, False

    def __call__(self, request):
        if not self.killed and not self.is_time(self.proxy.requests):
            return None
        if not self.killed:
            os.kill(self.process.pid, signal.SIGKILL)
            self.killed = True
        return Fault.CUT

    def run(self, built, store):
        self.proxy.requests.clear()
        self.proxy.rule = self
        argv = [sys.executable, "-c", PROGRAM, str(built), store.url]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE)
        _, said = self.process.communicate(timeout=50)
        return said.decode()


@pytest.mark.timeout(180)
async def test_killed_ten_times_it_publishes_nothing_and_then_everything(
    tmp_path, through_proxy, proxy
):
    manifest = write_built(tmp_path / "built", FILES)
    sizes = []
    for is_time in KILLS:
        killing = Killing(proxy, is_time)
        said = killing.run(tmp_path / "built", through_proxy)
        assert killing.process.returncode == -signal.SIGKILL, said
        proxy.rule = lambda _: None
        assert await list_revisions(through_proxy) == ()
        sizes.append(len([key for key in await through_proxy.list() if key[0] != "_"]))
    assert sizes == sorted(sizes)
    finishing = Killing(proxy, lambda _: False)
    said = finishing.run(tmp_path / "built", through_proxy)
    assert finishing.process.returncode == 0, said
    proxy.rule = lambda _: None
    assert await read_manifest(through_proxy, "v1") == manifest
    assert await inspect(manifest, through_proxy, tell=lambda _: None) == []
    await assert_headers(through_proxy)


async def assert_headers(store):
    for path, content in FILES.items():
        told = (await store.inner.get_async(hashed(path, content))).attributes
        assert told["Cache-Control"] == headers.IMMUTABLE
        assert told["Content-Type"] == headers.content_type(path)
