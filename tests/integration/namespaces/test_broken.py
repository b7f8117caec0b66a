"""A set of app servers on two hosts, when one of its hosts fails or its cable is pulled."""

import asyncio
import time

import pytest

from app.domain.job import JobKind, JobStatus
from tests.support import factories
from tests.support.rack_shop import BRIEFLY
from tests.support.told import told

pytestmark = [pytest.mark.root, pytest.mark.timeout(240)]

NEXT = {"app_servers": ("shop:3", "shop:4"), **BRIEFLY}


def begins(step):
    return lambda event: event.type == "step.started" and event.data["step"] == step


def is_tried_again(step):
    return lambda event: event.type == "step.retrying" and event.data["step"] == step


async def passed_over(shop, job):
    """Names of the steps that were left out as their host was gone."""
    return [
        event.data["step"]
        for event in await factories.events(shop.db, job.id)
        if "Passed over, as its host is gone" in str(event.data.get("note"))
    ]


async def test_one_new_app_server_that_fails_leaves_the_old_set_in_service(shop):
    await shop.deploy()
    (shop.shared(2) / "broken").touch()
    jobs = await shop.deploy(attempts=1)
    assert {job.kind for job in jobs} == {JobKind.PROVISION}
    assert sorted(job.status for job in jobs) == [JobStatus.FAILED, JobStatus.SUCCEEDED]
    assert await shop.active() == await shop.serving() == [1, 2]


async def test_a_set_is_activated_away_from_a_host_that_is_cut_off(shop):
    await shop.deploy()
    await shop.provision(host="web1")
    shop.host(2).cut()
    began = time.monotonic()
    job = await shop.carry_out(JobKind.ACTIVATE, **NEXT)
    assert job.status is JobStatus.SUCCEEDED, job.error
    assert time.monotonic() - began < 100
    assert await passed_over(shop, job) == ["background-stop-2-worker", "drain-2"]
    assert await shop.active() == await shop.serving() == [3, 4]


async def test_an_app_server_on_a_host_that_is_cut_off_is_terminated_when_it_is_back(shop):
    await shop.deploy()
    await shop.provision(host="web2")
    shop.host(2).cut()
    job = await shop.carry_out(JobKind.TERMINATE, app_server="shop:3")
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "unconfirmed-gone")
    shop.host(2).mend()
    again = await shop.carry_out(JobKind.TERMINATE, app_server="shop:3")
    assert again.status is JobStatus.SUCCEEDED, again.error
    assert await shop.active() == await shop.serving() == [1, 2]


async def test_background_parts_of_a_host_that_was_cut_off_stop_when_it_is_terminated(shop):
    await shop.deploy()
    await shop.provision(host="web1")
    shop.host(2).cut()
    await shop.carry_out(JobKind.ACTIVATE, **NEXT)
    shop.host(2).mend()
    diary = shop.host(2).base / "apps/shop/shared/diary"
    assert diary.read_text().splitlines() == ["start 2"]
    job = await shop.carry_out(JobKind.TERMINATE, app_server="shop:2")
    assert job.status is JobStatus.SUCCEEDED, job.error
    assert diary.read_text().splitlines() == ["start 2", "stop 2"]


@pytest.mark.parametrize("step", ["router-switch", "router-read-back"])
async def test_a_router_that_comes_back_in_the_middle_of_a_switch_has_one_whole_set(shop, step):
    await shop.deploy()
    await shop.provision(host="web1")
    job = await shop.ask(JobKind.ACTIVATE, **NEXT)
    running = asyncio.create_task(shop.end_of(job))
    await told(shop.db, job, begins(step))
    shop.edge.cut()
    await told(shop.db, job, is_tried_again(step))
    shop.edge.mend()
    ended = await running
    assert ended.status is JobStatus.SUCCEEDED, ended.error
    assert await shop.active() == await shop.serving() == [3, 4]


async def test_a_router_that_stays_away_is_told_what_postgres_says_when_it_is_back(shop):
    await shop.deploy()
    await shop.provision(host="web1")
    job = await shop.ask(JobKind.ACTIVATE, **NEXT)
    running = asyncio.create_task(shop.end_of(job))
    await told(shop.db, job, begins("router-read-back"))
    shop.edge.cut()
    ended = await running
    assert ended.status is JobStatus.FAILED
    shop.edge.mend()
    route = await shop.carry_out(JobKind.ROUTE)
    assert route.status is JobStatus.SUCCEEDED, route.error
    assert await shop.active() == await shop.serving() == [1, 2]
