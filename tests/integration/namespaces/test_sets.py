"""A set of app servers on two hosts behind a router on a third one: as a whole, or not at all."""

import pytest

from app.domain.job import JobKind, JobStatus
from app.domain.router import RouterKind

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

KINDS = [
    pytest.param(kind, marks=() if kind is RouterKind.CADDY else pytest.mark.routers)
    for kind in RouterKind
]


@pytest.fixture(params=KINDS, ids=str)
def kind(request):
    return request.param


def ended(jobs):
    return [(job.kind, job.status) for job in jobs]


WELL = [
    (JobKind.PROVISION, JobStatus.SUCCEEDED),
    (JobKind.PROVISION, JobStatus.SUCCEEDED),
    (JobKind.ACTIVATE, JobStatus.SUCCEEDED),
]


async def test_each_host_gets_one_and_visitors_reach_both(shop):
    jobs = await shop.deploy()
    assert ended(jobs) == WELL, [job.error for job in jobs]
    assert await shop.active() == await shop.serving() == [1, 2]
    for number in (1, 2):
        assert len(list((shop.host(number).base / "apps/shop/releases").iterdir())) == 1


async def test_the_next_deployment_takes_over_as_a_whole_and_loses_no_request(shop):
    await shop.deploy()
    async with shop.load() as load:
        await load.answered(20)
        jobs = await shop.deploy()
        await load.answered(20)
    assert ended(jobs) == WELL, [job.error for job in jobs]
    assert load.failures == []
    assert set(load.answers) == {"1", "2", "3", "4"}
    assert await shop.active() == await shop.serving() == [3, 4]
