"""Two hosts for app servers and one for the router, far from each other; a worker's handles."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app import services
from app.domain.job import LeasePolicy
from app.domain.router import RouterKind
from app.gateways.locks import Locks
from tests.chaos.campaign.network import Namespaces
from tests.support import factories, sites
from tests.support.rack_shop import NAME, RECIPE, RackShop
from tests.support.racks import Rack
from tests.support.router_load import close_clients
from tests.support.routers import RealRouter
from worker.jobs.runtime import Runtime
from worker.remote import ssh
from worker.remote.following import Patience
from worker.remote.hosts import Pool


@pytest.fixture
def folder():
    # pytest's own folders are too long for a socket.
    made = Path(tempfile.mkdtemp(prefix="lln-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def rack(folder):
    made = Rack(Namespaces(os.urandom(3).hex()), folder)
    try:
        for name in ("edge", "web1", "web2"):
            await made.host(name)
        yield made
    finally:
        await close_clients()
        await made.remove()


@pytest.fixture
def kind():
    """Of the router; tests that concern every kind have their own."""
    return RouterKind.CADDY


@pytest.fixture
def recipe():
    """Of the site; a test that needs more has its own."""
    return RECIPE


@pytest.fixture
def router(rack, folder, kind):
    edge = rack.made["edge"]
    real = RealRouter(
        kind,
        folder,
        edge.base,
        shell=" ".join((*edge.place.prefix, "/bin/sh")),
        address=edge.address,
        prefix=edge.place.prefix,
    )
    try:
        real.start()
        yield real
    finally:
        real.stop()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    """A silent host counts as gone after seconds; otherwise it takes more than a minute."""
    options = ssh._options

    def hasty(*about):
        return {**options(*about), "connect_timeout": 3, "keepalive_interval": 1}

    monkeypatch.setattr(ssh, "_options", hasty)
    monkeypatch.setattr("worker.remote.ssh_host.Patience", lambda: Patience(away=2))


@pytest.fixture
async def shop(db, queue, vault, wakeups, redis_url, rack, router, recipe):
    """Two app servers are wanted, from the pool of the two hosts."""
    await services.identities.import_key(db, vault, rack.identity)
    rows = {
        name: await factories.add_host(db, **host.row, pool=None if name == "edge" else "web")
        for name, host in rack.made.items()
    }
    row = await factories.add_router(db, rows["edge"], options=router.options)
    await factories.change(db, row, kind=router.kind)
    await factories.add_instance(
        db,
        recipe=await factories.add_recipe(db, recipe),
        repository=sites.repository(rack.folder / "site"),
        revision="v1",
        pool="web",
        target_count=2,
        router_id=row.id,
        domain=NAME,
    )
    async with Redis.from_url(redis_url) as redis, Pool() as pool:
        locks = Locks(redis, ttl=LeasePolicy().lease)
        ctx = {"runtime": Runtime(db, queue, locks, vault, wakeups, pool, "worker-1")}
        yield RackShop(db, queue, vault, ctx, router, rack)
