"""Extensions of a site on two hosts: the one that failed is named, and the other is as before."""

import pytest

from app import services
from app.domain.event import EventType
from app.domain.extension_spec import ExtensionSpec
from app.domain.job import JobKind, JobStatus, Outcome
from tests.support import factories
from tests.support.rack_shop import BRIEFLY, RECIPE

pytestmark = [pytest.mark.root, pytest.mark.timeout(240)]

NOTHING = ("absent", None, False)


@pytest.fixture
def recipe():
    """Where `no-blog` lies in a host's shared folder, its package does not come."""
    return f"""{RECIPE}
extension:
  install: [{{name: package, run: 'test ! -e "$SHARED_DIR/no-$EXTENSION"'}}]
"""


async def install(shop, version):
    """The job, which has ended."""
    spec = ExtensionSpec(package="blog", version=version)
    return await shop.carry_out(JobKind.INSTALL, instance="shop", extension=spec, **BRIEFLY)


async def on_hosts(shop):
    """Of each host: how it is there, the stamp, and whether there is an error."""
    found = await services.extensions.get(shop.db, "shop", "blog")
    rows = {one.host: one.row for one in found.hosts}
    return {name: (row.status, row.stamp, bool(row.error)) for name, row in rows.items()}


async def test_an_extension_is_installed_on_both_hosts(shop):
    await shop.deploy()
    job = await install(shop, "1.0")
    assert job.status is JobStatus.SUCCEEDED, job.error
    there = ("installed", "1.0", False)
    assert await on_hosts(shop) == {"web1": there, "web2": there}
    assert await shop.active() == await shop.serving() == [3, 4]


async def test_the_host_that_failed_is_named_and_nothing_is_left_on_the_other(shop):
    await shop.deploy()
    (shop.shared(2) / "no-blog").touch()
    job = await install(shop, "1.0")
    assert (job.status, job.outcome) == (JobStatus.FAILED, Outcome.ROLLED_BACK)
    told = await factories.events(shop.db, job.id)
    [failed] = [event.data for event in told if event.type == EventType.EXTENSION_FAILED]
    assert failed["hosts"] == ["web2"]
    assert await on_hosts(shop) == {"web1": NOTHING, "web2": ("failed", None, True)}
    assert await shop.active() == await shop.serving() == [1, 2]


async def test_the_version_before_stays_on_both_hosts(shop):
    await shop.deploy()
    await install(shop, "0.5")
    (shop.shared(1) / "no-blog").touch()
    job = await install(shop, "1.0")
    assert job.status is JobStatus.FAILED
    assert await on_hosts(shop) == {
        "web1": ("failed", "0.5", True),
        "web2": ("installed", "0.5", False),
    }


async def test_a_host_that_is_away_keeps_nobody_from_looking_at_the_other(shop):
    await shop.deploy()
    await install(shop, "1.0")
    stamps = "apps/shop/releases/*/.liftlock/extensions/blog.version"
    [stamp] = shop.host(2).base.glob(stamps)
    stamp.unlink()
    shop.host(1).cut()
    job = await shop.carry_out(JobKind.INSPECT, instance="shop")
    assert job.status is JobStatus.SUCCEEDED, job.error
    found = await on_hosts(shop)
    assert (found["web1"][0], found["web2"][0]) == ("installed", "degraded")
    # The job that was to mend it fails on the other host: nothing of it is mended.
    shop.host(1).mend()
    (shop.shared(1) / "no-blog").touch()
    assert (await install(shop, "2.0")).status is JobStatus.FAILED
    assert (await on_hosts(shop))["web2"][0] == "degraded"
