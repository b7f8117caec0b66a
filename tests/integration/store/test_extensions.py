"""What is known of an instance's extensions, and of each on its hosts."""

import pytest

from app import store
from app.domain.extension import ExtensionStatus
from app.domain.extension_host import ExtensionHostStatus
from app.models.base import new_id
from tests.support import factories

ERROR = {"code": "extension-failed", "detail": "It raises."}


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
def in_session(db):
    """Runs a function of the store in a transaction of its own."""

    async def run(function, *args, **values):
        async with db.transaction() as session:
            return await function(session, *args, **values)

    return run


@pytest.fixture
def put(site, in_session):
    async def make(name="stars", instance_id=None, **values):
        given = {
            "source": {"package": "Stars", "version": "1.0"},
            "version": "1.0",
            "settings": {"APP": "stars"},
            "requires": ["tags"],
            "status": ExtensionStatus.INSTALLING,
            "job_id": new_id(),
        }
        wanted = instance_id or site[1].id
        return await in_session(store.extensions.put, wanted, name=name, **{**given, **values})

    return make


@pytest.fixture
def listed(site, in_session):
    async def read():
        return await in_session(store.extensions.list_of_instance, site[1].id)

    return read


def host_row(**values):
    return {
        "stamp": "1.0",
        "status": ExtensionHostStatus.INSTALLED,
        "error": None,
        "app_server_id": new_id(),
        **values,
    }


async def test_an_extension_is_kept_as_it_is_put(put, listed):
    job_id = new_id()
    await put(job_id=job_id)
    [row] = await listed()
    assert (row.name, row.version, row.status) == ("stars", "1.0", "installing")
    assert row.source == {"package": "Stars", "version": "1.0"}
    assert (row.settings, row.requires) == ({"APP": "stars"}, ["tags"])
    assert (row.last_job_id, row.load_error, row.error) == (job_id, None, None)


async def test_put_again_it_is_the_same_row_and_its_errors_are_forgotten(put, listed, in_session):
    first = await put()
    failed = {"status": ExtensionStatus.FAILED, "load_error": "It raises.", "error": ERROR}
    await in_session(store.extensions.set_status, first.id, job_id=new_id(), **failed)
    again = await put(version="2.0", settings={}, requires=())
    [row] = await listed()
    assert (row.id, again.id, row.created_at) == (first.id, first.id, first.created_at)
    assert (row.version, row.settings, row.requires) == ("2.0", {}, [])
    assert (row.status, row.load_error, row.error) == ("installing", None, None)
    assert row.updated_at > first.updated_at


async def test_extensions_are_listed_by_name(put, listed, in_session, site):
    for name in ("tags", "a2", "stars", "a-1"):
        await put(name)
    names = [row.name for row in await listed()]
    assert names == sorted(names)
    page = store.extensions.list_page
    first = await in_session(page, site[1].id, after=None, limit=3)
    rest = await in_session(page, site[1].id, after=first[-1].name, limit=3)
    assert [row.name for row in (*first, *rest)] == names


async def test_each_instance_has_its_own(db, put, listed, in_session, site):
    other = await factories.add_instance(db, recipe=await factories.add_recipe(db), name="other")
    await put(instance_id=other.id)
    assert await listed() == []
    assert await in_session(store.extensions.find, site[1].id, "stars") is None
    assert (await in_session(store.extensions.find, other.id, "stars")).version == "1.0"


async def test_what_is_read_again_in_a_transaction_is_what_others_wrote_since(db, put, in_session):
    row = await put()
    async with db.transaction() as session:
        seen = await store.extensions.find(session, row.instance_id, "stars")
        await put(version="2.0")
        assert (await store.extensions.find(session, row.instance_id, "stars")).version == "2.0"
        await put(version="3.0")
        await store.extensions.list_of_instance(session, row.instance_id)
        assert seen.version == "3.0"


async def test_a_status_comes_with_its_reason_and_takes_it_away_again(put, listed, in_session):
    row, job_id = await put(), new_id()
    set_status = store.extensions.set_status
    told = {"load_error": "m\n\nTraceback", "error": ERROR}
    await in_session(set_status, row.id, status=ExtensionStatus.FAILED, job_id=job_id, **told)
    [failed] = await listed()
    assert (failed.status, failed.load_error, failed.error) == ("failed", *told.values())
    assert failed.last_job_id == job_id
    await in_session(set_status, row.id, status=ExtensionStatus.ENABLED, job_id=new_id())
    [enabled] = await listed()
    assert (enabled.status, enabled.load_error, enabled.error) == ("enabled", None, None)


async def test_no_error_is_no_value_in_the_database_either(put, in_session, db, site):
    row = await put()
    await in_session(store.extensions.keep_host, row.id, site[0].id, **host_row())
    async with db.statement() as session:
        nulls = await store.database.driver(session).fetchrow(
            "SELECT extensions.error IS NULL, extension_hosts.error IS NULL"
            " FROM extensions JOIN extension_hosts ON extension_id = id"
        )
    assert list(nulls) == [True, True]


async def test_what_is_gone_gets_no_status(in_session):
    values = {"status": ExtensionStatus.ENABLED, "job_id": new_id()}
    assert await in_session(store.extensions.set_status, new_id(), **values) is None


async def test_each_host_says_what_it_has(db, put, in_session, site):
    row, beta = await put(), await factories.add_host(db, name="beta")
    keep, made = store.extensions.keep_host, host_row()
    await in_session(keep, row.id, site[0].id, **made)
    failed = {"stamp": None, "status": ExtensionHostStatus.FAILED, "error": ERROR}
    await in_session(keep, row.id, beta.id, **host_row(**failed, app_server_id=None))
    found = (await in_session(store.extensions.hosts_of, {row.id}))[row.id]
    assert [(one.host_id, one.stamp, one.status) for one in found] == [
        (site[0].id, "1.0", "installed"),
        (beta.id, None, "failed"),
    ]
    assert [one.error for one in found] == [None, ERROR]
    assert [one.app_server_id for one in found] == [made["app_server_id"], None]


async def test_a_host_has_one_row_for_each(put, in_session, site):
    row = await put()
    keep, host = store.extensions.keep_host, site[0].id
    failed = host_row(stamp=None, status=ExtensionHostStatus.FAILED, error=ERROR)
    for values in (failed, host_row(stamp="2.0")):
        await in_session(keep, row.id, host, **values)
    [found] = (await in_session(store.extensions.hosts_of, {row.id}))[row.id]
    assert (found.stamp, found.status, found.error) == ("2.0", "installed", None)


async def test_nothing_is_asked_for_no_extensions(in_session):
    assert await in_session(store.extensions.hosts_of, set()) == {}


async def test_what_is_removed_is_gone_from_its_hosts_too(put, listed, in_session, site):
    row, other = await put(), await put("tags")
    for one in (row, other):
        await in_session(store.extensions.keep_host, one.id, site[0].id, **host_row())
    for _ in range(2):
        await in_session(store.extensions.remove, row.id)
    assert [one.name for one in await listed()] == ["tags"]
    assert (await in_session(store.extensions.hosts_of, {row.id}))[row.id] == []
    assert len((await in_session(store.extensions.hosts_of, {other.id}))[other.id]) == 1


async def test_a_deleted_instance_takes_its_extensions_along(put, listed, in_session, site):
    row = await put()
    await in_session(store.extensions.keep_host, row.id, site[0].id, **host_row())
    instance = await in_session(store.instances.get, "shop")
    await in_session(store.instances.delete, instance)
    assert await listed() == []
    await in_session(store.hosts.delete, await in_session(store.hosts.get, "alpha"))
