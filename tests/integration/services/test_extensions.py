"""What people read of an instance's extensions."""

import pytest

from app import services, store
from app.domain.extension import ExtensionStatus
from app.domain.extension_host import ExtensionHostStatus
from app.errors import NotFound
from app.models.base import new_id
from tests.support import factories


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
def add(db, site):
    async def make(name):
        async with db.transaction() as session:
            return await store.extensions.put(
                session,
                site[1].id,
                name=name,
                source={"package": name, "version": "1.0"},
                version="1.0",
                settings={},
                requires=(),
                status=ExtensionStatus.ENABLED,
                job_id=new_id(),
            )

    return make


async def keep(db, extension, host, **values):
    given = {"stamp": "1.0", "status": ExtensionHostStatus.INSTALLED, "error": None}
    async with db.transaction() as session:
        await store.extensions.keep_host(
            session, extension.id, host.id, **{**given, "app_server_id": None, **values}
        )


async def page(db, **values):
    found = await services.extensions.list_page(db, "shop", **{"after": None, "limit": 10} | values)
    return [view.extension.name for view in found]


async def test_they_are_read_by_name_in_pages(db, add):
    for name in ("stars", "tags", "ads"):
        await add(name)
    assert await page(db) == ["ads", "stars", "tags"]
    assert await page(db, after="ads", limit=1) == ["stars"]


async def test_hosts_and_app_servers_have_their_names(db, site, add):
    host, instance = site
    server = await factories.add_app_server(db, instance, host)
    beta, row = await factories.add_host(db, name="beta"), await add("stars")
    await keep(db, row, host, app_server_id=server.id)
    await keep(db, row, beta, stamp=None, status=ExtensionHostStatus.FAILED)
    found = (await services.extensions.get(db, "shop", "stars")).hosts
    shown = [(one.host, one.app_server, one.row.stamp, one.row.status) for one in found]
    assert shown == [("alpha", "AppServer 1", "1.0", "installed"), ("beta", None, None, "failed")]


async def test_an_app_server_that_is_gone_has_no_name(db, site, add):
    await keep(db, await add("stars"), site[0], app_server_id=new_id())
    [one] = (await services.extensions.get(db, "shop", "stars")).hosts
    assert one.app_server is None


async def test_any_spelling_of_a_name_finds_it(db, add):
    row = await add("guestbook-stars")
    for name in ("guestbook-stars", "Guestbook_Stars", "guestbook.stars"):
        assert (await services.extensions.get(db, "shop", name)).extension.id == row.id


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("Star", "Did you mean stars? List them: liftlock extensions list shop"),
        ("xyz", "List them: liftlock extensions list shop"),
    ],
)
async def test_an_unknown_name_gets_the_nearest(db, add, typed, hint):
    await add("stars")
    with pytest.raises(NotFound, match=f"Instance shop has no extension '{typed}'") as raised:
        await services.extensions.get(db, "shop", typed)
    assert raised.value.hint == hint


async def test_an_instance_that_there_is_not_has_none(db):
    with pytest.raises(NotFound):
        await page(db)
    with pytest.raises(NotFound):
        await services.extensions.get(db, "shop", "stars")
