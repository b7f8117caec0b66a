"""A real router of each kind, as an ordinary user would run it; its base folder has a space."""

import os

import pytest

from app.domain.router import Route
from tests.support.router_load import Site, close_clients
from tests.support.routers import KINDS, running


@pytest.fixture(params=KINDS, ids=str)
def kind(request):
    return request.param


@pytest.fixture
def router(kind):
    with running(kind) as real:
        yield real


@pytest.fixture
def instead(router, tmp_path):
    """Small programs of the host replaced by others."""

    def replace(name, text):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        router.env["PATH"] = f"{tmp_path}:{os.environ['PATH']}"

    return replace


@pytest.fixture(autouse=True)
async def _clients():
    yield
    await close_clients()


@pytest.fixture
def route():
    """A route of version 1 to these app servers, or one that differs."""

    def make(*sites, version=1, domain="site.example", instance="guest", **rest):
        upstreams = tuple(site.address for site in sites)
        return Route(instance, domain, version=version, upstreams=upstreams, **rest)

    return make


@pytest.fixture
async def site():
    async with Site("a") as found:
        yield found


@pytest.fixture
async def other():
    async with Site("b") as found:
        yield found
