"""Uploaded wheels: kept once, read without their content, locked while somebody asks for one."""

import asyncio

import pytest
from sqlalchemy import inspect

from app import store
from app.errors import NotFound, Unavailable
from app.models import Package
from tests.support import factories

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def package(sha256=A, name="stars", **values):
    given = {"version": "1.0", "size": 3, "content": b"\x00PK"}
    file = f"{name}-1.0-py3-none-any.whl"
    return Package(sha256=sha256, name=name, filename=file, **{**given, **values})


@pytest.fixture
def in_session(db):
    """Runs a function of the store in a transaction of its own."""

    async def run(function, *args, **values):
        async with db.transaction() as session:
            return await function(session, *args, **values)

    return run


async def test_the_same_content_is_kept_once_under_its_first_name(in_session):
    assert await in_session(store.packages.add, package(actor="ann"))
    assert not await in_session(store.packages.add, package(name="other", actor="ben"))
    found = await in_session(store.packages.find, A)
    assert (found.name, found.version, found.size, found.actor) == ("stars", "1.0", 3, "ann")


async def test_of_two_that_come_at_once_one_is_new(in_session):
    both = [in_session(store.packages.add, package()) for _ in range(2)]
    assert sorted(await asyncio.gather(*both)) == [False, True]


async def test_the_content_is_read_only_where_it_is_asked_for(in_session):
    await in_session(store.packages.add, package())
    for read in (store.packages.find, store.packages.hold, store.packages.lock):
        found = await in_session(read, A)
        assert inspect(found).unloaded == {"content"}
    assert await in_session(store.packages.content, A) == b"\x00PK"


async def test_what_is_not_there_is_not_found(in_session):
    for read in (store.packages.find, store.packages.hold, store.packages.content):
        assert await in_session(read, A) is None
    with pytest.raises(NotFound):
        await in_session(store.packages.lock, A)


async def test_fifty_megabytes_fit_into_the_time_of_a_statement(in_session):
    big = bytes(range(256)) * (50 * 4096)
    await in_session(store.packages.add, package(content=big, size=len(big)))
    assert await in_session(store.packages.content, A) == big


async def test_pages_are_by_name_and_miss_nothing(in_session):
    for sha256, name in ((A, "b"), (B, "a"), (C, "a")):
        await in_session(store.packages.add, package(sha256, name))
    found, after = [], None
    while page := await in_session(store.packages.list_page, after=after, limit=1):
        found.append((page[0].name, page[0].sha256))
        after = store.packages.place(page[0])
    assert found == [("a", B), ("a", C), ("b", A)]


async def test_what_somebody_asks_for_is_not_removed_meanwhile(db, in_session):
    await in_session(store.packages.add, package())
    async with db.transaction() as session:
        assert (await store.packages.hold(session, A)).name == "stars"
        # Whoever asks for the same does not wait.
        await in_session(store.packages.hold, A)
        with pytest.raises(Unavailable):
            await in_session(store.packages.lock, A)


async def test_a_wheel_is_removed(in_session):
    await in_session(store.packages.add, package())
    row = await in_session(store.packages.lock, A)
    await in_session(store.packages.remove, row)
    assert await in_session(store.packages.find, A) is None
    await in_session(store.packages.add, package())
    assert await in_session(store.packages.content, A) == b"\x00PK"


async def test_its_users_are_extensions_what_serves_and_open_jobs(db, queue, vault, in_session):
    host, instance = await factories.add_site(db)
    uploaded = {"package": "stars", "version": "1.0", "sha256": A}
    fetched = {**uploaded, "url": "https://files.invalid/stars.whl"}
    for source, name in ((uploaded, "stars"), (fetched, "tags")):
        await _put(in_session, instance, name, source)
    made = [{"name": "stars", "source": uploaded}, {"name": "tags", "source": fetched}]
    serving = await factories.add_app_server(db, instance, host, extensions=made, is_active=True)
    await factories.add_app_server(db, instance, host, extensions=made)
    await factories.add_app_server(db, instance, host, extensions=made[1:], is_active=True)
    assert await in_session(store.packages.users, A) == [
        "extension stars of instance shop",
        f"app server shop:{serving.number}",
    ]
    assert await in_session(store.packages.users, B) == []
    view = await factories.request(db, queue, vault)
    await factories.change(db, view.job, params={**view.job.params, "extension": uploaded})
    assert f"job {view.job.id}" in await in_session(store.packages.users, A)
    await factories.change(db, view.job, params={**view.job.params, "extension": fetched})
    assert f"job {view.job.id}" not in await in_session(store.packages.users, A)


async def _put(in_session, instance, name, source):
    await in_session(
        store.extensions.put,
        instance.id,
        name=name,
        source=source,
        version="1.0",
        settings={},
        requires=(),
        status="enabled",
        job_id=instance.id,
    )
