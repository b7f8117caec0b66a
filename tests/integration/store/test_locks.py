"""Rows of locks, and what of them is held."""

import pytest

from app import store
from app.domain.lock import parse_name
from app.errors import NotFound
from tests.support import factories, holding


async def _held(db):
    async with db.transaction() as session:
        return [row["shown"] for row in await store.locks.list_held(session, after=None, limit=9)]


async def _row_name(db, name):
    async with db.transaction() as session:
        return await store.locks.row_name(session, parse_name(name))


async def test_a_lock_of_an_older_attempt_or_of_no_job_is_not_held(db, queue, vault):
    await factories.add_site(db)
    job = (await factories.request(db, queue, vault)).job
    await holding.claim(db, job)
    assert await _held(db) == ["instance:shop"]
    await holding.execute(db, "UPDATE jobs SET attempt = 2")
    assert await _held(db) == []
    await holding.execute(db, "UPDATE locks SET holder_job = NULL")
    assert await _held(db) == []


async def test_a_row_with_a_name_of_its_own_kind_is_shown_as_it_is(db, queue, vault):
    await factories.add_site(db)
    job = (await factories.request(db, queue, vault)).job
    await holding.claim(db, job)
    await holding.execute(db, "UPDATE locks SET name = 'instance:a'")
    assert await _held(db) == ["instance:a"]


@pytest.mark.parametrize("kind", ["instance", "host", "manual:instance", "manual:host"])
async def test_a_name_leads_to_the_row_by_name_and_by_id_also_of_what_is_gone(db, kind):
    host, instance = await factories.add_site(db)
    row, name = (host, "alpha") if kind.endswith("host") else (instance, "shop")
    assert await _row_name(db, f"{kind}:{name}") == f"{kind}:{row.id}"
    assert await _row_name(db, f"{kind}:{host.id}") == f"{kind}:{host.id}"
    with pytest.raises(NotFound):
        await _row_name(db, f"{kind}:gone")


async def test_of_several_manual_locks_the_widest_is_found(db):
    names = ["manual:instance:1", "manual:all", "manual:host:1"]
    async with db.transaction() as session:
        for name in names:
            await store.locks.place(session, name, message=name, actor="ann")
        assert (await store.locks.find_manual(session, names)).message == "manual:all"
        assert (await store.locks.find_manual(session, names[:1])).message == names[0]
        assert await store.locks.find_manual(session, ["manual:host:2"]) is None
