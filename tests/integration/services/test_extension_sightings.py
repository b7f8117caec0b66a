"""What looks find of extensions: kept with each host, and told only when it is news."""

import asyncio
from datetime import timedelta

import pytest

from app import services, store
from app.domain.extension import ExtensionStatus
from app.domain.extension_host import ExtensionHostStatus
from app.domain.extension_sighting import Sighting
from app.domain.job import JobKind, JobStatus, Outcome
from app.errors import Conflict, LostOwnership
from app.models.base import new_id
from app.services import beginning
from app.services.extension_sightings import Seen
from tests.support import factories
from tests.support.deployments import claim, execute, jobs_of

EVERY = timedelta(minutes=15)
WHOLE = Sighting(has_stamp=True)
TORN = Sighting(has_stamp=True, wrong=2, files=("missing: stars/a.js", "different: stars/b.js"))
NOBODY_COULD_LOOK = None


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
async def server(db, site):
    """In service, with the extension `stars`."""
    host, instance = site
    extension = {
        "name": "stars",
        "version": "1.0",
        "source": {"package": "Stars", "version": "1.0"},
        "enabled": True,
        "settings": {"APP": "stars"},
        "requires": [],
    }
    return await factories.add_app_server(
        db, instance, host, is_active=True, extensions=[extension]
    )


@pytest.fixture
async def stars(db, site, server):
    async with db.transaction() as session:
        row = await store.extensions.put(
            session,
            site[1].id,
            name="stars",
            # Newer than what serves, which an older app server is.
            source={"package": "Stars", "version": "2.0", "sha256": "ab"},
            version="2.0",
            settings={"APP": "stars", "MODE": "new"},
            requires=(),
            status=ExtensionStatus.ENABLED,
            job_id=server.job_id,
        )
    await keep(db, row, site[0], server)
    return row


async def keep(db, row, host, server, **values):
    given = {"stamp": "1.0", "status": ExtensionHostStatus.INSTALLED, "error": None}
    async with db.transaction() as session:
        await store.extensions.keep_host(
            session, row.id, host.id, app_server_id=server.id, **{**given, **values}
        )


@pytest.fixture
def inspected(db, queue, vault, stars, server):
    """An inspection that finds this; the job, and what is news."""

    async def inspect(*found, servers=()):
        view = await factories.request(db, queue, vault, kind=JobKind.INSPECT, instance="shop")
        taken = await claim(db, view.job)
        on = servers or (server,) * len(found)
        seen = [seen_at(one, what) for one, what in zip(on, found, strict=True)]
        news = await services.extension_sightings.note(db, taken.job, seen)
        assert await services.extension_sightings.note(db, taken.job, seen) == []
        await services.ending.settle(
            db, taken.job, status=JobStatus.SUCCEEDED, outcome=Outcome.UNCHANGED
        )
        return taken.job, news

    return inspect


def seen_at(server, found):
    return Seen(server.id, "stars", "1.0", found)


async def told(db, job):
    events = await factories.events(db, job.id)
    return [(one.type, one.data) for one in events if one.type.startswith("extension.")]


async def on_hosts(db):
    view = await services.extensions.get(db, "shop", "stars")
    return [one.row for one in view.hosts]


async def test_what_is_missing_is_kept_and_told_once(db, inspected):
    job, [change] = await inspected(TORN)
    [(kind, data)] = await told(db, job)
    hint = data.pop("hint")
    assert (kind, data) == (
        "extension.degraded",
        {
            "name": "stars",
            "version": "1.0",
            "host": "alpha",
            "app_server": "AppServer 1",
            "stamp": True,
            "wrong": 2,
            "files": ["missing: stars/a.js", "different: stars/b.js"],
        },
    )
    assert hint.endswith("install shop Stars 1.0 --set APP=stars --force")
    [row] = await on_hosts(db)
    assert (row.status, row.error["code"]) == ("degraded", "media-incomplete")
    assert "missing: stars/a.js" in row.error["detail"]
    assert row.error["hint"] == hint == change.hint
    assert (await services.extensions.get(db, "shop", "stars")).extension.status == "enabled"


async def test_the_same_again_is_no_news(db, inspected):
    await inspected(TORN)
    job, news = await inspected(TORN)
    assert (news, await told(db, job)) == ([], [])


async def test_other_files_are_kept_without_an_event(db, inspected):
    await inspected(TORN)
    job, news = await inspected(Sighting(has_stamp=False))
    assert (news, await told(db, job)) == ([], [])
    [row] = await on_hosts(db)
    assert (row.status, row.stamp) == ("degraded", None)
    assert "no stamp" in row.error["detail"]


async def test_a_job_that_is_over_keeps_nothing_more(db, server, inspected):
    """Also of what is no news, for which no event is told."""
    job, _ = await inspected(TORN)
    with pytest.raises(LostOwnership):
        await services.extension_sightings.note(
            db, job, [seen_at(server, Sighting(has_stamp=False))]
        )
    assert "no stamp" not in (await on_hosts(db))[0].error["detail"]


async def test_once_all_is_back_it_is_installed_again(db, inspected):
    await inspected(TORN)
    job, _ = await inspected(WHOLE)
    data = {"name": "stars", "version": "1.0", "host": "alpha"}
    assert await told(db, job) == [("extension.recovered", data)]
    [row] = await on_hosts(db)
    assert (row.status, row.error, row.stamp) == ("installed", None, "1.0")


async def test_what_is_whole_as_before_is_not_even_written(db, inspected):
    [before] = await on_hosts(db)
    job, news = await inspected(WHOLE)
    assert (news, await told(db, job)) == ([], [])
    assert (await on_hosts(db))[0].at == before.at


async def test_what_nobody_could_look_at_stays_as_it_is_known(db, inspected):
    await inspected(TORN)
    _, news = await inspected(NOBODY_COULD_LOOK)
    assert news == []
    assert (await on_hosts(db))[0].status == "degraded"


async def test_a_failed_attempt_stays_known_while_all_that_serves_is_whole(
    db, site, stars, server, inspected
):
    await keep(db, stars, site[0], server, status=ExtensionHostStatus.FAILED, error={"code": "x"})
    await inspected(WHOLE)
    [row] = await on_hosts(db)
    assert (row.status, row.error) == ("failed", {"code": "x"})


@pytest.mark.parametrize("second", [WHOLE, NOBODY_COULD_LOOK], ids=["whole", "unseen"])
async def test_of_two_app_servers_on_a_host_the_incomplete_one_counts(
    db, site, server, inspected, second
):
    other = await factories.add_app_server(db, site[1], site[0], is_active=True)
    servers = (other, server)
    _, [change] = await inspected(second, TORN, servers=servers)
    assert change.app_server.id == server.id
    await inspected(WHOLE, TORN, servers=servers)
    assert (await on_hosts(db))[0].status == "degraded"
    # One of them alone does not say that all is back.
    await inspected(WHOLE, NOBODY_COULD_LOOK, servers=servers)
    assert (await on_hosts(db))[0].status == "degraded"
    await inspected(WHOLE, WHOLE, servers=servers)
    assert (await on_hosts(db))[0].status == "installed"


async def test_an_extension_that_is_gone_by_now_is_left_out(db, stars, inspected):
    async with db.transaction() as session:
        await store.extensions.remove(session, stars.id)
    job, news = await inspected(TORN)
    assert (news, await told(db, job)) == ([], [])


async def test_a_site_of_which_nothing_runs_cannot_be_inspected(db, queue, vault, site):
    with pytest.raises(Conflict) as error:
        await factories.request(db, queue, vault, kind=JobKind.INSPECT, instance="shop")
    assert error.value.code == "nothing-runs"


async def test_an_inspection_is_of_what_serves_when_its_turn_comes(
    db, queue, vault, site, stars, server
):
    view = await factories.request(db, queue, vault, kind=JobKind.INSPECT, instance="shop")
    await execute(db, "UPDATE app_servers SET is_active = false")
    later = await factories.add_app_server(db, site[1], site[0], is_active=True)
    taken = await claim(db, view.job)
    assert [one.app_server.id for one in taken.work.before] == [later.id]


async def look(db, queue, found):
    """By somebody whose turn it is; the job it leads to."""
    await execute(db, "UPDATE instances SET extensions_seen_at = NULL")
    taken = await services.extension_looks.begin(db, EVERY)
    assert taken is not None
    seen = [seen_at(one.app_server, found) for one in taken.work.before]
    return await services.extension_looks.end(db, queue, taken, seen)


async def test_only_what_is_not_as_it_is_known_becomes_a_job(db, queue, stars, inspected):
    assert await look(db, queue, WHOLE) is None
    job_id = await look(db, queue, TORN)
    [job] = await jobs_of(db, JobKind.INSPECT)
    assert (job.id, job.actor, job.status) == (job_id, "liftlock:extensions", JobStatus.QUEUED)


async def test_what_is_known_to_be_degraded_becomes_none(db, queue, inspected):
    await inspected(TORN)
    assert await look(db, queue, TORN) is None
    assert await look(db, queue, NOBODY_COULD_LOOK) is None
    assert await look(db, queue, WHOLE) is not None


async def test_while_a_job_is_about_the_site_nobody_looks(db, queue, vault, stars):
    await factories.request(db, queue, vault, kind=JobKind.INSPECT, instance="shop")
    assert await services.extension_looks.begin(db, EVERY) is None


async def test_what_a_job_is_about_meanwhile_is_left_to_it(db, queue, vault, stars):
    taken = await services.extension_looks.begin(db, EVERY)
    await factories.request(db, queue, vault, kind=JobKind.INSPECT, instance="shop")
    seen = [seen_at(one.app_server, TORN) for one in taken.work.before]
    assert await services.extension_looks.end(db, queue, taken, seen) is None


async def test_what_no_longer_serves_is_no_reason_for_a_job(db, queue, site, stars):
    taken = await services.extension_looks.begin(db, EVERY)
    await execute(db, "UPDATE app_servers SET is_active = false")
    await factories.add_app_server(db, site[1], site[0], is_active=True)
    seen = [seen_at(one.app_server, TORN) for one in taken.work.before]
    assert await services.extension_looks.end(db, queue, taken, seen) is None


@pytest.mark.parametrize("name", ["all", "instance:shop", "host:alpha"])
async def test_what_is_locked_by_hand_is_left_alone(db, stars, name):
    await services.locks.place(db, on=name, message="hands off", actor="ann")
    assert await services.extension_looks.begin(db, EVERY) is None


async def test_of_many_workers_one_looks_at_a_site(db, stars):
    found = await asyncio.gather(*(services.extension_looks.begin(db, EVERY) for _ in range(5)))
    assert sum(one is not None for one in found) == 1


async def test_a_site_is_looked_at_again_after_a_while(db, stars):
    assert await services.extension_looks.begin(db, EVERY) is not None
    assert await services.extension_looks.begin(db, EVERY) is None
    passed = "UPDATE instances SET extensions_seen_at = extensions_seen_at - interval '901 s'"
    await execute(db, passed)
    assert await services.extension_looks.begin(db, EVERY) is not None


async def test_a_site_of_which_no_release_has_an_enabled_extension_is_not_looked_at(db, stars):
    disabled = (
        """UPDATE app_servers SET extensions = jsonb_set(extensions, '{0,enabled}', 'false')"""
    )
    await execute(db, disabled)
    assert await services.extension_looks.begin(db, EVERY) is None


async def test_what_serves_is_looked_at_though_its_last_job_failed(db, stars):
    failed = ExtensionStatus.FAILED
    async with db.transaction() as session:
        await store.extensions.set_status(session, stars.id, status=failed, job_id=new_id())
    assert await services.extension_looks.begin(db, EVERY) is not None


async def test_what_was_missing_from_a_release_that_serves_no_more_is_no_news(
    db, site, stars, inspected
):
    await inspected(TORN)
    await execute(db, "UPDATE app_servers SET is_active = false")
    await factories.add_app_server(db, site[1], site[0], is_active=True)
    assert await on_hosts(db) == []


async def test_an_inspection_does_not_say_that_its_host_answers(db, site, inspected):
    await execute(db, "UPDATE hosts SET status = 'unreachable'")
    await inspected(NOBODY_COULD_LOOK)
    async with db.transaction() as session:
        assert (await store.hosts.get(session, site[0].id)).status == "unreachable"


async def test_a_lock_by_hand_on_any_host_that_serves_is_heeded_at_the_claim(
    db, queue, vault, site, stars
):
    other = await factories.add_host(db, name="beta")
    await factories.add_app_server(db, site[1], other, is_active=True)
    view = await factories.request(db, queue, vault, kind=JobKind.INSPECT, instance="shop")
    taken = await claim(db, view.job)
    assert {host.name for host in beginning.hosts_of(taken.work)} == {"alpha", "beta"}


async def test_a_site_of_which_nothing_runs_keeps_nobody_from_the_next(db, stars):
    await execute(db, "UPDATE app_servers SET status = 'terminated', is_active = false")
    assert await services.extension_looks.begin(db, EVERY) is None
