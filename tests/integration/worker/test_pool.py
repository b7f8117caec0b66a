"""A pool with a dead host: the next attempt is made on another one, and the dead one is closed."""

import asyncio
from uuid import UUID

import pytest

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus
from tests.integration.worker.conftest import RECIPE
from tests.support import factories
from worker.engine.policy import RetryPolicy
from worker.jobs.run_job import run_job
from worker.remote import link

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def pool(db, site, monkeypatch):
    """A host that hangs up and comes first by its name, and one that works; nobody waits long."""
    monkeypatch.setattr(link, "PAUSES", ())
    monkeypatch.setattr(RetryPolicy, "pause", lambda *_: 0.01)
    instance = await site(recipe=RECIPE + "data: network\n")
    works = (await services.hosts.get(db, "alpha")).host
    await factories.change(db, works, pool="web")
    await factories.change(db, instance, pool="web", host_id=None)
    async with await asyncio.start_server(_hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await factories.add_host(db, name="a-dead", port=port, pool="web", capacity=1000)
        yield


async def _hang_up(_, writer):
    writer.close()


@pytest.fixture
def ended(db, ctx):
    async def carry_out(job_id):
        await run_job(ctx, str(job_id), 1)
        return await services.jobs.get(db, job_id)

    return carry_out


async def test_a_provision_that_meets_a_dead_host_is_carried_out_on_another(
    db, queue, vault, pool, ended
):
    for number in (1, 2):
        asked = await factories.request(db, queue, vault, attempts=2)
        first = await ended(asked.job.id)
        assert (first.host_name, first.job.error["code"]) == ("a-dead", "host-unreachable")
        assert first.app_server.status is AppServerStatus.ERROR
        second = await ended(UUID(first.job.params["next"]))
        assert (second.host_name, second.job.status) == ("alpha", JobStatus.SUCCEEDED)
        dead = (await services.hosts.get(db, "a-dead")).host
        found = HostStatus.UNREACHABLE if number == 1 else HostStatus.QUARANTINED
        assert dead.status is found
        if number == 1:
            # It comes first again, as if it had answered once.
            await factories.change(db, dead, status=HostStatus.READY)
    third = await factories.request(db, queue, vault, kind=JobKind.PROVISION)
    assert third.host_name == "alpha"
