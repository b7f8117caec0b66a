"""A host that never comes back: its app servers go out of service, and are recorded as gone."""

import asyncio

import pytest
from redis.asyncio import Redis

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus, LeasePolicy, Outcome
from app.gateways.locks import Locks
from tests.support import factories
from worker.jobs.runtime import Runtime
from worker.remote import link
from worker.remote.hosts import Pool

#: With a part that would be stopped on the host.
RECIPE = (
    factories.MINIMAL_RECIPE
    + """
background:
  start: [{name: worker, run: "true"}]
  stop: [{name: worker, run: "true"}]
"""
)


class Dead:
    """What is left of a machine: an address that hangs up."""

    def __init__(self):
        self.calls = 0

    async def answer(self, _, writer):
        self.calls += 1
        writer.close()


@pytest.fixture
async def dead():
    found = Dead()
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


@pytest.fixture
async def ctx(db, queue, vault, wakeups, redis_url, monkeypatch):
    """A worker's, which tries once to reach a host."""
    monkeypatch.setattr(link, "PAUSES", ())
    await services.identities.ensure(db, vault)
    async with Redis.from_url(redis_url) as redis, Pool() as pool:
        locks = Locks(redis, ttl=LeasePolicy().lease)
        yield {"runtime": Runtime(db, queue, locks, vault, wakeups, pool, "worker-1")}


@pytest.fixture
async def instance(db, dead):
    host = await factories.add_host(db, port=dead.port)
    recipe = await factories.add_recipe(db, RECIPE)
    row = await factories.add_instance(db, recipe=recipe, host=host)
    await factories.add_app_server(db, row, host, is_active=True)
    return row


async def found(db):
    return (await services.app_servers.get(db, "shop:1")).app_server


async def test_what_serves_there_can_be_taken_out_of_service(db, instance, carried_out, dead):
    job = await carried_out(JobKind.DEACTIVATE, app_server="shop:1", drain=0)
    assert job.status is JobStatus.SUCCEEDED, job.error
    assert dead.calls
    assert not (await found(db)).is_active
    notes = [
        event.data["note"] for event in await factories.events(db, job.id) if event.data.get("note")
    ]
    assert notes
    assert all("its host is gone" in note for note in notes)


async def test_where_the_router_is_lost_too_it_is_out_of_service_when_somebody_says_so(
    db, instance, carried_out, dead
):
    host = (await services.hosts.get(db, "alpha")).host
    router = await factories.add_router(db, host)
    await factories.change(db, instance, router_id=router.id, domain="shop.test")
    gone = {"app_server": "shop:1", "gone": True, "reason": "it burned down"}
    job = await carried_out(JobKind.DEACTIVATE, **gone)
    assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.CHANGED)
    assert (dead.calls, (await found(db)).is_active) == (0, False)
    [told] = [
        event.data
        for event in await factories.events(db, job.id)
        if event.type == EventType.APP_SERVER_DEACTIVATED
    ]
    assert (told["by"], told["reason"]) == ("tests", "it burned down")
    route = (await services.instances.get(db, "shop")).instance
    assert route.route_applied < route.route_version


async def test_and_is_recorded_as_gone_without_asking_the_host(db, instance, carried_out, dead):
    await factories.change(db, await found(db), is_active=False)
    gone = {"app_server": "shop:1", "gone": True, "reason": "it burned down"}
    job = await carried_out(JobKind.TERMINATE, **gone)
    assert (job.status, job.outcome) == (JobStatus.SUCCEEDED, Outcome.CHANGED)
    assert dead.calls == 0
    row = await found(db)
    assert (row.status, row.cleaned_at is None) == (AppServerStatus.TERMINATED, False)
    assert (await services.hosts.get(db, "alpha")).host.status is HostStatus.READY
    again = await carried_out(JobKind.TERMINATE, **gone)
    assert (again.status, again.outcome) == (JobStatus.SUCCEEDED, Outcome.UNCHANGED)
    assert dead.calls == 0


async def test_a_host_that_could_not_be_reached_is_not_ready_since_something_there_is_gone(
    db, instance, carried_out
):
    await factories.change(db, await found(db), is_active=False)
    row = (await services.hosts.get(db, "alpha")).host
    await factories.change(db, row, status=HostStatus.UNREACHABLE)
    gone = {"app_server": "shop:1", "gone": True, "reason": "it burned down"}
    await carried_out(JobKind.TERMINATE, **gone)
    assert (await services.hosts.get(db, "alpha")).host.status is HostStatus.UNREACHABLE
