"""Hosts of a pool that Liftlock takes out of use by itself, and how they come back."""

import pytest

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus
from app.errors import Conflict
from tests.support import deployments, factories
from tests.support.deployments import ask, fail, job_of, succeed


@pytest.fixture
async def pool(db):
    """An instance in a pool of one host."""
    host = await factories.add_host(db, pool="web")
    await factories.add_instance(db, pool="web")
    return host


async def host_of(db, name="alpha"):
    return (await services.hosts.get(db, name)).host


async def failed(db, queue, vault, code, **values):
    """A provision that ended with that code."""
    [job] = await ask(db, queue, vault, **values)
    await fail(db, job, code)
    return job


async def release(db, **patch):
    await services.hosts.change(db, "alpha", {"status": "ready", **patch}, expected=None)


async def _told(db, job):
    return [event.type for event in await factories.events(db, job.id)]


async def test_two_provisions_in_a_row_put_their_host_into_quarantine(db, queue, vault, pool):
    await failed(db, queue, vault, "host-unreachable")
    assert (await host_of(db)).status is HostStatus.UNREACHABLE
    job = await failed(db, queue, vault, "runner-failed")
    host = await host_of(db)
    assert host.status is HostStatus.QUARANTINED
    ended = await job_of(db, job.id)
    at = host.status_reason.pop("at")
    assert at.startswith(ended.finished_at.date().isoformat())
    detail = "2 provisions in a row ended because of it: host-unreachable, then runner-failed."
    assert host.status_reason == {"code": "runner-failed", "detail": detail, "job": str(job.id)}


async def test_the_job_that_brought_it_about_tells_so_before_its_end(db, queue, vault, pool):
    first = await failed(db, queue, vault, "host-unreachable")
    second = await failed(db, queue, vault, "host-unreachable")
    assert EventType.HOST_QUARANTINED not in await _told(db, first)
    assert (await _told(db, second))[-2:] == [EventType.HOST_QUARANTINED, EventType.JOB_FAILED]
    [data] = [
        event.data
        for event in await factories.events(db, second.id)
        if event.type == EventType.HOST_QUARANTINED
    ]
    detail = "2 provisions in a row ended because of it: host-unreachable."
    assert data == {"host": "alpha", "code": "host-unreachable", "detail": detail}


async def test_no_new_app_server_comes_there_and_the_refusal_tells_why(db, queue, vault, pool):
    for _ in range(2):
        await failed(db, queue, vault, "host-unreachable")
    with pytest.raises(Conflict, match="alpha is quarantined") as refused:
        await factories.request(db, queue, vault)
    assert refused.value.code == "no-place"
    with pytest.raises(Conflict, match="2 provisions in a row ended because of it") as refused:
        await factories.request(db, queue, vault, host="alpha")
    assert refused.value.code == "host-closed"
    assert refused.value.hint == "Open it again: liftlock hosts set alpha --status ready"


async def test_what_runs_there_stays_in_service(db, queue, vault, pool):
    await deployments.serve(db, queue, vault)
    for _ in range(2):
        await failed(db, queue, vault, "host-unreachable")
    assert (await host_of(db)).status is HostStatus.QUARANTINED
    assert await deployments.active_numbers(db) == [1]
    [job] = [row for row in await deployments.app_servers(db) if row.is_active]
    assert job.status is AppServerStatus.RUNNING


async def test_a_success_between_them_starts_the_count_anew(db, queue, vault, pool):
    await failed(db, queue, vault, "host-unreachable")
    [job] = await ask(db, queue, vault)
    await succeed(db, job)
    await failed(db, queue, vault, "host-unreachable")
    assert (await host_of(db)).status is HostStatus.UNREACHABLE


async def test_a_job_that_somebody_canceled_counts_for_nothing(db, queue, vault, pool):
    await failed(db, queue, vault, "host-unreachable")
    [job] = await ask(db, queue, vault)
    await fail(db, job, "canceled", JobStatus.CANCELED)
    await failed(db, queue, vault, "host-unreachable")
    assert (await host_of(db)).status is HostStatus.QUARANTINED


@pytest.mark.parametrize("code", ["step-failed", "disk-full"])
async def test_one_bad_recipe_closes_no_host(db, queue, vault, pool, code):
    for _ in range(4):
        await failed(db, queue, vault, code)
    assert (await host_of(db)).status is HostStatus.READY


async def test_a_full_disk_that_two_recipes_meet_is_the_hosts(db, queue, vault, pool):
    source = factories.MINIMAL_RECIPE.replace("plain", "other")
    other = await factories.add_recipe(db, source)
    await factories.add_instance(db, recipe=other, name="blog", pool="web")
    await failed(db, queue, vault, "disk-full")
    await failed(db, queue, vault, "disk-full", instance="blog")
    assert (await host_of(db)).status is HostStatus.QUARANTINED


async def test_another_key_puts_the_host_into_quarantine_at_once(db, queue, vault, pool):
    job = await failed(db, queue, vault, "host-key-changed")
    reason = (await host_of(db)).status_reason
    assert (reason["code"], reason["job"]) == ("host-key-changed", str(job.id))
    assert reason["detail"] == "It shows another key than the pinned one."


async def test_another_key_that_an_activation_meets_does_so_too(db, queue, vault, pool):
    [job] = await ask(db, queue, vault)
    await succeed(db, job)
    view = await factories.request(db, queue, vault, kind=JobKind.ACTIVATE, app_servers=("shop:1",))
    taken = await deployments.claim(db, view.job)
    error = {"code": "host-key-changed", "step": "health-1"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    assert (await host_of(db)).status is HostStatus.QUARANTINED
    assert (await deployments.instance_row(db)).activated_sequence == 0


async def _terminate(db, queue, vault, cause):
    """A termination that nobody could confirm, for that cause."""
    [job] = await ask(db, queue, vault)
    await succeed(db, job)
    view = await factories.request(db, queue, vault, kind=JobKind.TERMINATE, app_server="shop:1")
    taken = await deployments.claim(db, view.job)
    error = {"code": "unconfirmed-gone", "cause": cause, "step": "stop"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("host-key-changed", HostStatus.QUARANTINED),
        ("host-unreachable", HostStatus.UNREACHABLE),
        ("connection-lost", HostStatus.UNREACHABLE),
        ("provider-failed", HostStatus.READY),
    ],
)
async def test_a_host_is_judged_by_what_kept_a_termination_from_being_confirmed(
    db, queue, vault, pool, cause, status
):
    await _terminate(db, queue, vault, cause)
    assert (await host_of(db)).status is status


async def test_another_key_of_another_host_is_not_this_ones(db, queue, vault, pool):
    [job] = await ask(db, queue, vault)
    await succeed(db, job)
    view = await factories.request(db, queue, vault, kind=JobKind.ACTIVATE, app_servers=("shop:1",))
    taken = await deployments.claim(db, view.job)
    taken.job.plan = [{"name": "router-find", "at": "edge"}]
    error = {"code": "host-key-changed", "step": "router-find"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    assert (await host_of(db)).status is HostStatus.READY


async def test_a_host_of_no_pool_is_never_closed(db, queue, vault):
    await factories.add_site(db)
    for code in ("host-unreachable", "host-unreachable", "host-key-changed"):
        await failed(db, queue, vault, code)
    host = await host_of(db)
    assert (host.status, host.status_reason) == (HostStatus.UNREACHABLE, None)


async def test_a_released_host_has_no_reason_and_a_new_count(db, queue, vault, pool):
    for _ in range(2):
        await failed(db, queue, vault, "host-unreachable")
    await release(db)
    host = await host_of(db)
    assert (host.status, host.status_reason) == (HostStatus.READY, None)
    await failed(db, queue, vault, "host-unreachable")
    assert (await host_of(db)).status is HostStatus.UNREACHABLE
    await failed(db, queue, vault, "host-unreachable")
    assert (await host_of(db)).status is HostStatus.QUARANTINED


async def test_only_setting_the_status_releases_a_host(db, queue, vault, pool):
    for _ in range(2):
        await failed(db, queue, vault, "host-unreachable")
    await services.hosts.change(db, "alpha", {"capacity": 5}, expected=None)
    host = await host_of(db)
    assert (host.status, host.capacity) == (HostStatus.QUARANTINED, 5)
    assert host.status_reason["code"] == "host-unreachable"
